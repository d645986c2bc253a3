#!/bin/sh
# The client tests in Python: the official openai package and httpx against `mlc_llm serve`.
#
#   tests/python/run.sh BIN MODEL [pytest options]        BIN: the mlc_llm program, MODEL: a model directory
#
# Packages are installed once, into build/venv; the Python is $PYTHON, else python3.
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 BIN MODEL [pytest options]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
venv="$here/../../build/venv"
MLC_LLM_BIN=$(realpath "$1")
MLC_TEST_MODEL=$(realpath "$2")
export MLC_LLM_BIN MLC_TEST_MODEL
shift 2
stamp="$venv/.requirements"
if ! cmp -s "$here/requirements.txt" "$stamp" 2>/dev/null; then
  [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$stamp"
fi
cd "$here"
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
