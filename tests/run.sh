#!/bin/sh
# The pytest suites of the Python package: tests/unit, tests/integration, tests/performance.
#
#   tests/run.sh [pytest options and paths]            tests/run.sh tests/unit -n auto
#
# Packages are installed once, into build/venv-tests; the Python is $PYTHON, else python3. Environment: tests/conftest.py.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv="$root/build/venv-tests"
stamp="$venv/.requirements"
if ! cmp -s "$root/tests/requirements.txt" "$stamp" 2>/dev/null; then
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/tests/requirements.txt"
  cp "$root/tests/requirements.txt" "$stamp"
fi
cd "$root"
# With -n, a file stays in one process: its engines and compiled models are made once.
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider --dist loadfile "$@"
