#!/usr/bin/env bash
# Builds the Python wheel, names it after the oldest system that it runs on, and checks it.
#
#   scripts/wheel.sh [DIRECTORY]             default: dist
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-dist}")
venv=build/wheel-venv
if ! cmp -s scripts/ci/wheel-requirements.txt "$venv/.requirements"; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r scripts/ci/wheel-requirements.txt
  cp scripts/ci/wheel-requirements.txt "$venv/.requirements"
fi
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
# As scripts/build.sh compiles, so that one compiler cache serves both.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CC=${CC:-cc} CXX=${CXX:-c++}
options=()
[ -n "${CI:-}" ] && options+=(--config-settings=cmake.define.MLC_WERROR=ON)
"$venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps "${options[@]}" --wheel-dir "$raw" ./python
mkdir -p "$out"
rm -f "$out"/mlc_llm-*.whl
# Nothing is copied into it: there is no library outside glibc's that it needs.
PATH="$PWD/$venv/bin:$PATH" auditwheel repair --wheel-dir "$out" "$raw"/mlc_llm-*.whl
PATH="$PWD/$venv/bin:$PATH" auditwheel show "$out"/mlc_llm-*.whl
python3 scripts/check_wheel.py "$out"/mlc_llm-*.whl
