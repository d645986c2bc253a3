#!/usr/bin/env bash
# Builds LLVM and LLD 19 as the wheel links them: static, for X86 and AArch64, without tools; and ld.lld, which links it.
# For systems that have no llvm-19-dev; Debian 12 has one. The source is Debian's, with its checksum.
#
#   scripts/ci/build_llvm.sh PREFIX          DRY_RUN=1: configure and count the steps only
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(realpath -m "${1:?usage: scripts/ci/build_llvm.sh PREFIX}")
build=${LLVM_BUILD_DIR:-build/llvm}
[ -f "$prefix/.built/llvm" ] && exit 0
mkdir -p "$build"
[ -f "$build/source/llvm/CMakeLists.txt" ] || scripts/wheel_deps.sh "$prefix" fetch llvm "$build/source"
launcher=()
command -v ccache >/dev/null && launcher=(-D LLVM_CCACHE_BUILD=ON)
cmake -S "$build/source/llvm" -B "$build/build" -G Ninja -Wno-dev "${launcher[@]}" \
  -D CMAKE_BUILD_TYPE=Release -D CMAKE_INSTALL_PREFIX="$prefix" -D CMAKE_PREFIX_PATH="$prefix" \
  -D LLVM_ENABLE_PROJECTS=lld -D LLVM_TARGETS_TO_BUILD="X86;AArch64" -D LLVM_ENABLE_ZLIB=FORCE_ON -D ZLIB_USE_STATIC_LIBS=ON \
  -D LLVM_ENABLE_ZSTD=OFF -D LLVM_ENABLE_LIBXML2=OFF -D LLVM_ENABLE_LIBEDIT=OFF -D LLVM_ENABLE_LIBPFM=OFF \
  -D LLVM_ENABLE_Z3_SOLVER=OFF -D LLVM_ENABLE_CURL=OFF -D LLVM_ENABLE_HTTPLIB=OFF -D LLVM_ENABLE_FFI=OFF \
  -D LLVM_ENABLE_BINDINGS=OFF -D LLVM_BUILD_TOOLS=OFF -D LLVM_BUILD_UTILS=OFF -D LLVM_INCLUDE_TESTS=OFF \
  -D LLVM_INCLUDE_EXAMPLES=OFF -D LLVM_INCLUDE_BENCHMARKS=OFF -D LLVM_INCLUDE_DOCS=OFF -D LLVM_BUILD_LLVM_DYLIB=OFF \
  -D LLVM_ENABLE_PIC=ON -D LLVM_ENABLE_RTTI=ON -D LLVM_PARALLEL_LINK_JOBS=2 >"$build/configure.log" 2>&1 ||
  { tail -n 40 "$build/configure.log" >&2; exit 1; }
if [ -n "${DRY_RUN:-}" ]; then
  ninja -C "$build/build" -n install | tail -n 1 | grep -oE '[0-9]+/[0-9]+'
  exit 0
fi
ninja -C "$build/build" install >"$build/build.log" 2>&1 || { grep -A 20 FAILED "$build/build.log" >&2; exit 1; }
mkdir -p "$prefix/.built" "$prefix/licenses"
cp "$build/source/llvm/LICENSE.TXT" "$prefix/licenses/llvm"
echo 19.1.7 >"$prefix/.built/llvm"
rm -rf "$build"
