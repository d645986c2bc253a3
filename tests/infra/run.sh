#!/bin/sh
# Checks of what ships and runs the program: container files, compose files, the development environment, workflows,
# Kubernetes manifests, monitoring.
#
#   tests/infra/run.sh [pytest options]
#
# Packages are installed once, into build/venv-infra; the Python is $PYTHON, else python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv="$here/../../build/venv-infra"
stamp="$venv/.requirements"
if ! cmp -s "$here/requirements.txt" "$stamp" 2>/dev/null; then
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$stamp"
fi
cd "$here"
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
