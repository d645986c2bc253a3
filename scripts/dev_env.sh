#!/usr/bin/env bash
# Makes the development environment's Python tools (requirements-dev.txt) in build/dev-venv, once per change of its
# pins, and prints the folder of its programs. In the image mlc-llm:dev and in conda's mlc-dev they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/dev-venv
pins=$(cat requirements-dev.txt scripts/ci/requirements.txt)
if [ "$pins" != "$(cat "$venv/.requirements" 2>/dev/null)" ]; then
  echo "==> installing the tools of requirements-dev.txt" >&2
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
  echo "$pins" >"$venv/.requirements"
fi
echo "$PWD/$venv/bin"
