#!/bin/sh
# The program as its users run it: every command, right and wrong inputs, against small models.
#
#   tests/cli/run.sh BIN MODEL [pytest options]        BIN: the mlc_llm program, MODEL: a model directory
#
# Shares the virtual environment of tests/python.
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 BIN MODEL [pytest options]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
bin=$(realpath "$1")
model=$(realpath "$2")
shift 2
python=$("$here/../python/venv.sh")
cd "$here"
MLC_LLM_BIN="$bin" MLC_TEST_MODEL="$model" exec "$python" -m pytest -q -p no:cacheprovider "$@"
