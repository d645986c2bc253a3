#!/usr/bin/env bash
# Configures (once) and builds targets of a preset, with ninja's progress line.
#
#   scripts/build.sh release mlc_llm
#   scripts/build.sh asan all
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?usage: scripts/build.sh PRESET [TARGET ...]}
shift
[ $# -gt 0 ] || set -- all
# Lets one compiler cache serve every checkout of the project, wherever it lies.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
options=()
[ -n "${CI:-}" ] && options+=(-DMLC_WERROR=ON)
# "all" holds the tests, which a build for `make run` may have been configured without.
if [ ! -f "build/$preset/build.ninja" ] || [ ${#options[@]} -gt 0 ] || [ "$1" = all ]; then
  echo "==> configuring $preset"
  cmake --preset "$preset" "${options[@]}" >"/tmp/mlc-configure.$$" 2>&1 || { cat "/tmp/mlc-configure.$$" >&2; rm -f "/tmp/mlc-configure.$$"; exit 1; }
  rm -f "/tmp/mlc-configure.$$"
fi
NINJA_STATUS='[%f/%t %es] ' cmake --build "build/$preset" --target "$@"
