#!/usr/bin/env bash
# Checks the wheel, installs it into an empty environment of every Python 3.9 or newer that is here, and uses it there
# (tests/wheel/installed.py). No package but the wheel is installed; no library but glibc's may be needed.
#
#   scripts/test_wheel.sh [WHEEL]            default: the one in dist
#   MLC_WHEEL_PYTHONS="3.9 3.13"             fails when one of these is not here
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
wheels=("${1:-}")
[ -n "${1:-}" ] || wheels=(dist/mlc_llm-*.whl)
[ ${#wheels[@]} -eq 1 ] || { echo "error: ${#wheels[@]} wheels in dist; run \`make wheel\`, or name one" >&2; exit 1; }
wheel=$(realpath "${wheels[0]}")
python3 scripts/check_wheel.py "$wheel"
root=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONPATH PYTHONHOME MLC_LLM_LIB MLC_LLM_BIN
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1
cd "$tmp" # nothing of the checkout is found by accident
declare -A seen=()
for python in "$HOME"/.pyenv/versions/3.*/bin/python3 /usr/local/bin/python3.[0-9]* /usr/bin/python3.[0-9]* /opt/python/cp*/bin/python3; do
  version=$("$python" -c 'import sys, venv; print("%d.%d" % sys.version_info[:2] if sys.version_info >= (3, 9) else "")' 2>/dev/null) || continue
  if [ -z "$version" ] || [ -n "${seen[$version]:-}" ]; then continue; fi
  seen[$version]=1
  "$python" -m venv "$tmp/$version"
  "$tmp/$version/bin/python" -m pip install --quiet --no-deps "$wheel"
  "$tmp/$version/bin/python" "$root/tests/wheel/installed.py" "$root/models/demo"
  "$tmp/$version/bin/python" -m pip uninstall --quiet --yes mlc-llm
  left=$(find "$tmp/$version" -iname '*mlc_llm*' -not -name '*.pyc' | head -n 1)
  [ -z "$left" ] || { echo "error: uninstalling leaves $left" >&2; exit 1; }
  rm -rf "${tmp:?}/$version"
done
for version in ${MLC_WHEEL_PYTHONS:-}; do
  [ -n "${seen[$version]:-}" ] || { echo "error: Python $version is not here" >&2; exit 1; }
done
[ ${#seen[@]} -gt 0 ] || { echo "error: no Python 3.9 or newer is here" >&2; exit 1; }
echo "$(basename "$wheel"): works with ${#seen[@]} Pythons"
