#!/bin/sh
# The client tests in Python: the packages openai, anthropic and langchain, and httpx, against `mlc_llm serve`.
#
#   tests/python/run.sh BIN MODEL [pytest options]        BIN: the mlc_llm program, MODEL: a model directory
#
# Packages are installed once, into build/venv (venv.sh).
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 BIN MODEL [pytest options]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
MLC_LLM_BIN=$(realpath "$1")
MLC_TEST_MODEL=$(realpath "$2")
export MLC_LLM_BIN MLC_TEST_MODEL
shift 2
python=$("$here/venv.sh")
cd "$here"
exec "$python" -m pytest -q -p no:cacheprovider "$@"
