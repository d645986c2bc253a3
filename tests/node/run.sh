#!/bin/sh
# The client tests in Node: the official openai package and the Vercel AI SDK against `mlc_llm serve`.
#
#   tests/node/run.sh BIN MODEL [node options]    BIN: the mlc_llm program, MODEL: a model directory
#
# Packages are installed once (npm ci), into tests/node/node_modules. Needs Node 18 or newer. Answers pass a proxy that
# checks them against OpenAI's description (tests/python/validating_proxy.py).
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 BIN MODEL [node options]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
MLC_LLM_BIN=$(realpath "$1")
MLC_TEST_MODEL=$(realpath "$2")
export MLC_LLM_BIN MLC_TEST_MODEL
shift 2
MLC_TEST_PYTHON=$("$here/../python/venv.sh")
export MLC_TEST_PYTHON
cd "$here"
if ! cmp -s package-lock.json node_modules/.installed-lock 2>/dev/null; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock
fi
exec node --test "$@" openai.test.mjs ai_sdk.test.mjs
