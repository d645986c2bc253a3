#!/bin/sh
# The web page in headless Chromium, served by `mlc_llm serve`.
#
#   tests/web/run.sh BIN MODEL [node options]    BIN: the mlc_llm program, MODEL: a model directory
#
# Packages are installed once (npm ci), into tests/web/node_modules. Needs Node 18 or newer and Debian's chromium, or
# another one as $CHROMIUM. With $SHOTS set to a directory, pictures of the page are left there.
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
cd "$here"
if ! cmp -s package-lock.json node_modules/.installed-lock 2>/dev/null; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock
fi
exec node --test "$@" page.test.mjs
