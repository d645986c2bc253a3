#!/usr/bin/env bash
# Layer check, formatting of all C++ files, clang-tidy on the files changed against a base (default: the last commit
# of the default branch that is not HEAD's own; in CI the previous commit).
set -euo pipefail
cd "$(dirname "$0")/.."
python3 scripts/check_layers.py
mapfile -t files < <(git ls-files 'src/*.cc' 'src/*.h')
clang-format-19 --dry-run --Werror "${files[@]}"
echo "format: ${#files[@]} files clean"
base=${LINT_BASE:-$(git rev-parse -q --verify HEAD~1 || true)}
if [ -n "$base" ] && [ -f build/release/compile_commands.json ]; then
  mapfile -t changed < <(git diff --name-only --diff-filter=AM "$base" -- 'src/*.cc' ':!src/*_test.cc' | head -n "${LINT_MAX_FILES:-20}")
  if [ ${#changed[@]} -gt 0 ]; then
    # The compile commands are GCC's: it has warning options that clang does not know.
    clang-tidy-19 -p build/release --quiet --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*' "${changed[@]}" 2>/dev/null
    echo "clang-tidy: ${#changed[@]} changed files clean"
  fi
fi
