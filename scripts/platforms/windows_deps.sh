#!/usr/bin/env bash
# Makes build/windows-deps: the libraries that the program is built with for Windows. Debian has no packages of them, so
# they are built from Debian's sources with mingw-w64; header libraries are Debian's own headers.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
prefix=$root/build/windows-deps work=$root/build/windows-deps-build
cross=x86_64-w64-mingw32
version=1 # of this recipe
if [ "$(cat "$prefix/.version" 2>/dev/null)" = $version ]; then exit 0; fi
if [ "$(cat "$work/.version" 2>/dev/null)" != $version ]; then rm -rf "$work" "$prefix"; fi
mkdir -p "$prefix"/{include,lib/cmake} "$work/apt/lists/partial"
echo $version >"$work/.version"

# NAME COMMAND...: its output only when it fails. What a run before this one finished is not done again.
quietly() {
  local name=$1
  shift
  [ ! -e "$work/$name.done" ] || return 0
  echo "==> $name"
  "$@" >"$work/$name.log" 2>&1 || { tail -n 30 "$work/$name.log" >&2; echo "error: $name failed" >&2; exit 1; }
  touch "$work/$name.done"
}

# Sources by apt, with lists of its own: the machine's configuration stays as it is. apt checks the signatures.
fetch_sources() {
  cat >"$work/apt/sources.list" <<'LIST'
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
LIST
  local apt=(apt-get -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache::srcpkgcache=" -o "Dir::Cache::pkgcache=" -o APT::Sandbox::User=)
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" source openssl prometheus-cpp)
}

# A CMake package for a library of headers only.
header_package() { # PACKAGE TARGET HEADERS [DEFINITION...]
  local package=$1 target=$2 headers=$3
  shift 3
  ln -sfn "/usr/include/$headers" "$prefix/include/$headers"
  mkdir -p "$prefix/lib/cmake/$package"
  cat >"$prefix/lib/cmake/$package/${package,,}-config.cmake" <<CONFIG
if(NOT TARGET $target)
  add_library($target INTERFACE IMPORTED)
  set_target_properties($target PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "$prefix/include"
    INTERFACE_COMPILE_DEFINITIONS "$*")
endif()
CONFIG
}

build_openssl() {
  cd "$work"/openssl-*/
  ./Configure mingw64 --prefix="$prefix" --libdir=lib no-shared no-tests no-module no-engine no-legacy no-comp no-dso \
    CC="${ccache[*]} $cross-gcc-posix" AR=$cross-ar RANLIB=$cross-ranlib RC=$cross-windres
  make -j2 build_generated
  make -j2 libcrypto.a libssl.a
  cp -r include/openssl "$prefix/include/"
  cp libcrypto.a libssl.a "$prefix/lib/"
}

build_prometheus() {
  cd "$work"/prometheus-cpp-*/core
  cat >"$work/core_export.h" <<'HEADER'
#pragma once
#define PROMETHEUS_CPP_CORE_EXPORT
HEADER
  mkdir -p "$prefix/include/prometheus/detail"
  cp -r include/prometheus/. "$prefix/include/prometheus/"
  cp "$work/core_export.h" "$prefix/include/prometheus/detail/core_export.h"
  local objects=() source
  for source in src/*.cc src/detail/*.cc; do
    [ -f "$source" ] || continue
    objects+=("$work/prometheus_$(basename "$source" .cc).o")
    "${ccache[@]}" $cross-g++-posix -std=c++17 -O2 -I"$prefix/include" -Iinclude -c "$source" -o "${objects[-1]}"
  done
  $cross-ar rcs "$prefix/lib/libprometheus-cpp-core.a" "${objects[@]}"
}

build_googletest() {
  cmake -S /usr/src/googletest -B "$work/googletest" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Windows \
    -DCMAKE_C_COMPILER=$cross-gcc-posix -DCMAKE_CXX_COMPILER=$cross-g++-posix -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_CXX_COMPILER_LAUNCHER="${ccache[*]}"
  cmake --build "$work/googletest" -j2 --target install
}

ccache=()
if command -v ccache >/dev/null; then ccache=(ccache); fi
header_package fmt fmt::fmt fmt FMT_HEADER_ONLY
header_package spdlog spdlog::spdlog spdlog
header_package nlohmann_json nlohmann_json::nlohmann_json nlohmann
header_package CLI11 CLI11::CLI11 CLI
ln -sfn /usr/include/boost /usr/include/CL "$prefix/include/"
quietly sources fetch_sources
quietly googletest build_googletest
quietly prometheus build_prometheus
quietly openssl build_openssl
echo $version >"$prefix/.version"
