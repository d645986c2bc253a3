#!/usr/bin/env bash
# Makes the environment of the Python linters and of the coverage tools, once per change of its pins, in
# build/lint-venv, and prints the folder of its programs.
#
#   bin=$(scripts/lint_env.sh) && "$bin/black" --check scripts
set -euo pipefail
cd "$(dirname "$0")/.."
pins=scripts/ci/requirements.txt
venv=build/lint-venv
if ! cmp -s "$pins" "$venv/.requirements" 2>/dev/null; then
  echo "==> installing the linters of $pins" >&2
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$pins"
  cp "$pins" "$venv/.requirements"
fi
echo "$PWD/$venv/bin"
