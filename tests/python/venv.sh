#!/bin/sh
# Makes the tests' Python environment, build/venv, if it is not there or its requirements have changed, and prints the
# path of its Python. $PYTHON, else python3, makes it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/../../build"
venv=$(cd "$here/../../build" && pwd)/venv
stamp="$venv/.requirements"
if ! cmp -s "$here/requirements.txt" "$stamp" 2>/dev/null; then
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  cp "$here/requirements.txt" "$stamp"
fi
echo "$venv/bin/python"
