#!/usr/bin/env bash
# Every linter, in the order of their speed; stops at the first kind of file that is not clean.
#
#   scripts/lint.sh                  all kinds
#   scripts/lint.sh python shell     some: layers, shell, rust, python, cpp
#
# layers  who includes whom (layers.txt)
# shell   shellcheck
# rust    rustfmt, clippy
# python  black, isort, bandit, mypy, pylint (settings: pyproject.toml, pins: scripts/ci/requirements.txt)
# cpp     clang-format on all files; clang-tidy on those changed against LINT_BASE (default: the previous commit)
set -euo pipefail
cd "$(dirname "$0")/.."

lint_layers() {
  python3 scripts/check_layers.py
}

lint_shell() {
  local files
  mapfile -t files < <(git grep -lE '^#!.*\b(bash|sh)$' -- ':!*.md')
  shellcheck --external-sources "${files[@]}"
  echo "shellcheck: ${#files[@]} files clean"
}

lint_rust() {
  local manifest=rust/Cargo.toml
  cargo fmt --manifest-path "$manifest" --check
  cargo clippy --manifest-path "$manifest" --target-dir build/cargo-clippy --locked --quiet --all-targets -- -D warnings
  echo "rust: rustfmt and clippy clean"
}

# The folders that hold Python programs, each with its own modules: conftest.py stands in several.
python_folders() {
  git ls-files '*.py' ':!tools/demo_model' | xargs -n 1 dirname | sed -E 's,^(python|tests/[^/]+)/.*,\1,' | sort -u
}

lint_python() {
  local bin files folder fixtures=redefined-outer-name,unused-argument # how pytest's fixtures are asked for
  local tests=consider-using-with,subprocess-popen-preexec-fn # started here, ended in another place; one thread
  bin=$(scripts/lint_env.sh)
  mapfile -t files < <(git ls-files '*.py' ':!tools/demo_model')
  "$bin/black" --quiet --check "${files[@]}" || { "$bin/black" --check "${files[@]}"; return 1; }
  "$bin/isort" --check-only "${files[@]}"
  mapfile -t files < <(git ls-files '*.py' ':!tools/demo_model' ':!tests')
  "$bin/bandit" --quiet -c pyproject.toml "${files[@]}"
  # Tests talk to servers that they start, read files that they write, draw cases with a seed, name paths in /tmp.
  mapfile -t files < <(git ls-files 'tests/*.py')
  "$bin/bandit" --quiet -s B101,B105,B106,B108,B310,B311,B314,B404,B405,B603,B607 "${files[@]}"
  for folder in $(python_folders); do
    mapfile -t files < <(git ls-files "$folder/*.py")
    [ "$folder" = tests ] && mapfile -t files < <(git ls-files ':(glob)tests/*.py') # its folders come by themselves
    case $folder in
      python) # the package: strictly, with its own settings
        (cd python && "$bin/mypy" --no-error-summary)
        "$bin/pylint" --score=n --disable=import-error "${files[@]}" # mypy has looked at the imports
        ;;
      tests | tests/*)
        "$bin/mypy" --no-error-summary "${files[@]}"
        PYTHONPATH=$folder:scripts "$bin/pylint" --score=n --disable="$fixtures,$tests" "${files[@]}"
        ;;
      *)
        "$bin/mypy" --no-error-summary --check-untyped-defs "${files[@]}"
        "$bin/pylint" --score=n "${files[@]}"
        ;;
    esac
  done
  echo "python: black, isort, bandit, mypy, pylint clean"
}

lint_cpp() {
  local files changed base
  mapfile -t files < <(git ls-files 'src/*.cc' 'src/*.h')
  clang-format-19 --dry-run --Werror "${files[@]}"
  echo "format: ${#files[@]} files clean"
  base=${LINT_BASE:-$(git rev-parse -q --verify HEAD~1 || true)}
  [ -n "$base" ] && [ -f build/release/compile_commands.json ] || return 0
  # Windows' own files are compiled for Windows only (make test-platforms): there is no command of this machine for them.
  mapfile -t changed < <(git diff --name-only --diff-filter=AM "$base" -- 'src/*.cc' ':!src/*_test.cc' ':!src/*_windows.cc' | head -n "${LINT_MAX_FILES:-20}")
  [ ${#changed[@]} -gt 0 ] || return 0
  # The compile commands are GCC's: it has warning options that clang does not know.
  clang-tidy-19 -p build/release --quiet --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*' "${changed[@]}" 2>/dev/null
  echo "clang-tidy: ${#changed[@]} changed files clean"
}

[ $# -gt 0 ] || set -- layers shell rust python cpp
for kind in "$@"; do
  case $kind in
    layers | shell | rust | python | cpp) "lint_$kind" ;;
    *) echo "error: no linter for $kind; there are: layers shell rust python cpp" >&2; exit 2 ;;
  esac
done
