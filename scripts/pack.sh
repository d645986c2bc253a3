#!/usr/bin/env bash
# Installs the release build into a directory as the images have it, with the list of the packages whose shared
# libraries the program uses: share/mlc_llm/runtime-packages.txt.
#
#   scripts/pack.sh build/packed
set -euo pipefail
cd "$(dirname "$0")/.."
to=${1:?usage: scripts/pack.sh DIR}
rm -rf "$to"
cmake --install build/release --prefix "$to" --strip >/dev/null
program=$to/bin/mlc_llm

# Libraries may be found under /lib where the package has them under /usr/lib, and the other way round.
packages=()
while read -r library; do
  real=$(realpath "$library")
  owner=$(dpkg-query -S "$real" "${real#/usr}" "/usr$real" 2>/dev/null | head -n 1 || true)
  [ -n "$owner" ] || { echo "error: no package owns $library, which $program uses" >&2; exit 1; }
  packages+=("${owner%%:*}")
done < <(ldd "$program" | sed -nE 's/^.* => (\/[^ ]+) .*$/\1/p')
list=$to/share/mlc_llm/runtime-packages.txt
printf '%s\n' "${packages[@]}" | sort -u >"$list"
if [ -f /etc/apt/sources.list.d/llvm-19.list ]; then
  cp /etc/apt/sources.list.d/llvm-19.list /usr/share/keyrings/llvm.gpg "$to/share/mlc_llm/"
fi
echo "==> packed: $to ($(du -sh "$to" | cut -f1)), uses $(wc -l <"$list") packages"
