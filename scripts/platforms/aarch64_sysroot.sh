#!/usr/bin/env bash
# Unpacks Debian's arm64 packages that the program is built with into build/aarch64-sysroot. Needs mmdebstrap and no root;
# nothing is run or configured.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=libc6-dev,libstdc++-12-dev,libboost1.81-dev,nlohmann-json3-dev,libcli11-dev,libspdlog-dev,libfmt-dev
packages+=,libssl-dev,prometheus-cpp-dev,libedit-dev,libgtest-dev,libgmock-dev,opencl-c-headers,libcurl4-openssl-dev
sysroot=build/aarch64-sysroot
if [ "$(cat "$sysroot/.packages" 2>/dev/null)" = "$packages" ]; then exit 0; fi
echo "==> unpacking Debian's arm64 packages into $sysroot"
rm -rf "$sysroot"
mkdir -p build
mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$packages" bookworm "$sysroot" >build/mmdebstrap.log 2>&1 ||
  { cat build/mmdebstrap.log >&2; exit 1; }
echo "$packages" >"$sysroot/.packages"
