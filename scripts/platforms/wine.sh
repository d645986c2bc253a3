#!/usr/bin/env bash
# Runs a Windows program under Wine, in a prefix of its own that is made when it is missing.
#
#   scripts/platforms/wine.sh build/windows/bin/mlc_llm.exe --version
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export WINEPREFIX=${WINEPREFIX:-$root/build/wine} WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
wine=/usr/lib/wine/wine64
if [ ! -d "$WINEPREFIX" ]; then
  "$wine" wineboot -i >/dev/null 2>&1
fi
missing=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
if [ ! -e "$missing" ]; then
  x86_64-w64-mingw32-gcc -O2 -shared -static-libgcc "$root/scripts/platforms/bcryptprimitives.c" -o "$missing" -ladvapi32
fi
exec "$wine" "$@"
