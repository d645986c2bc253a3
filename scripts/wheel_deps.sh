#!/usr/bin/env bash
# Builds, as static libraries that may be linked into a shared one, what the wheel holds and the system has not so. Each
# source has a version and a checksum: those of Debian's signed index. What is there already is not built again.
#
#   scripts/wheel_deps.sh build/wheel-deps         on Debian 12, whose packages have the rest (scripts/install_deps.sh wheel)
#   scripts/wheel_deps.sh PREFIX all               elsewhere: everything but a compiler, OpenCL's headers, Rust and LLVM
#   scripts/wheel_deps.sh PREFIX fetch NAME DIR    only unpacks one source
#
# Sources come from $MLC_SOURCES_MIRROR, else from Debian, else from Debian's snapshot of the day when they were chosen.
set -euo pipefail
shopt -s nullglob
prefix=$(realpath -m "${1:?usage: scripts/wheel_deps.sh PREFIX [all]}")
mirrors=(${MLC_SOURCES_MIRROR:+"$MLC_SOURCES_MIRROR"} http://deb.debian.org/debian
  https://snapshot.debian.org/archive/debian/20261129T000000Z)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export CMAKE_PREFIX_PATH=$prefix CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
flags="-O2 -DNDEBUG -fPIC -ffunction-sections -fdata-sections -fvisibility=hidden"
flags+=" -ffile-prefix-map=$tmp=. -ffile-prefix-map=$prefix=."

# name, file below pool/main, SHA-256
sources="
boost b/boost1.81/boost1.81_1.81.0.orig.tar.xz 449afecf5ef98edc0a46826cde6af98d1fb95c2e92962fa8c9e3eb1e8a2928ec
cli11 c/cli11/cli11_2.1.2+ds.orig.tar.xz 8143d20b688e98ccce8e24562d3b68e5f47c12e896c42c7ca8553dbde5bed55d
curl c/curl/curl_8.14.1.orig.tar.gz 6766ada7101d292b42b8b15681120acd68effa4a9660935853cf6d61f0d984d4
fmt f/fmtlib/fmtlib_9.1.0+ds1.orig.tar.gz 84ce1c2d0be3a9863935137969dcec6970125caac032f82474640bfc81463583
json n/nlohmann-json3/nlohmann-json3_3.11.2.orig.tar.gz d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273
libedit libe/libedit/libedit_3.1-20221030.orig.tar.gz f0925a5adf4b1bf116ee19766b7daa766917aec198747943b1c4edf67a4be2bb
llvm l/llvm-toolchain-19/llvm-toolchain-19_19.1.7.orig.tar.xz ae498f3bc58ae2d9f64ef5f0c035c4240152bf015a5b7738b15c22e93bdc97ce
ncurses n/ncurses/ncurses_6.4.orig.tar.gz 6931283d9ac87c5073f30b6290c4c75f21632bb4fc3603ac8100812bed248159
openssl o/openssl/openssl_3.5.7.orig.tar.gz a8c0d28a529ca480f9f36cf5792e2cd21984552a3c8e4aa11a24aa31aeac98e8
prometheus p/prometheus-cpp/prometheus-cpp_1.0.1.orig.tar.gz 593e028d401d3298eada804d252bc38d8cab3ea1c9e88bcd72095281f85e6d16
spdlog s/spdlog/spdlog_1.10.0+ds.orig.tar.xz 620ca6842b5c21014470bd42eb4716024674214fb973b5ffa3aaea33310ad327
zlib z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz 60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb
zstd libz/libzstd/libzstd_1.5.4+dfsg2.orig.tar.xz 8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953
"

fetch() { # NAME DIR: the unpacked source
  local file sha256 mirror packed=$tmp/source.tar
  read -r _ file sha256 < <(grep "^$1 " <<<"$sources")
  for mirror in "${mirrors[@]}"; do
    python3 - "$mirror/pool/main/$file" "$packed" <<'PY' && break
import sys, urllib.parse, urllib.request
scheme, rest = sys.argv[1].split("://", 1)
try:
    urllib.request.urlretrieve(f"{scheme}://{urllib.parse.quote(rest, safe='/:~')}", sys.argv[2])
except OSError as e:
    sys.exit(f"{sys.argv[1]}: {e}")
PY
    rm -f "$packed"
  done
  [ -f "$packed" ] || { echo "error: no mirror has $file" >&2; return 1; }
  echo "$sha256  $packed" | sha256sum --check --quiet
  mkdir -p "$2"
  tar xf "$packed" --strip-components=1 --no-same-owner -C "$2"
  rm "$packed"
}

logged() { "$@" >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2; echo "error: $*" >&2; return 1; }; }

with_cmake() { # DIR [option ...]
  local dir=$1
  shift
  logged cmake -S "$dir" -B "$dir/build-static" -Wno-dev -D CMAKE_BUILD_TYPE=None -D CMAKE_INSTALL_PREFIX="$prefix" \
    -D CMAKE_INSTALL_LIBDIR=lib -D CMAKE_C_FLAGS="$flags" -D CMAKE_CXX_FLAGS="$flags" -D BUILD_SHARED_LIBS=OFF \
    -D CMAKE_POSITION_INDEPENDENT_CODE=ON -D BUILD_TESTING=OFF "$@"
  logged cmake --build "$dir/build-static" --target install
}

with_configure() { # DIR TARGETS [option ...]
  local dir=$1 targets=$2
  shift 2
  (cd "$dir" && CFLAGS=$flags CPPFLAGS="-I$prefix/include" LDFLAGS="-L$prefix/lib" logged ./configure --prefix="$prefix" \
    --libdir="$prefix/lib" "$@")
  # shellcheck disable=SC2086 # several targets
  logged make -C "$dir" -j "$CMAKE_BUILD_PARALLEL_LEVEL" $targets
}

build_fmt() { with_cmake "$1" -D FMT_TEST=OFF -D FMT_DOC=OFF; }
build_spdlog() { with_cmake "$1" -D SPDLOG_FMT_EXTERNAL=ON -D SPDLOG_BUILD_EXAMPLE=OFF; }
build_prometheus() { with_cmake "$1" -D ENABLE_PUSH=OFF -D ENABLE_PULL=OFF -D ENABLE_COMPRESSION=OFF -D ENABLE_TESTING=OFF; }

# HTTP and HTTPS and nothing else: Debian's has LDAP, Kerberos, SSH and 20 libraries more behind it.
build_curl() {
  with_cmake "$1" -D HTTP_ONLY=ON -D BUILD_CURL_EXE=OFF -D CURL_USE_OPENSSL=ON -D OPENSSL_USE_STATIC_LIBS=ON \
    -D CURL_USE_LIBPSL=OFF -D CURL_USE_LIBSSH2=OFF -D USE_LIBIDN2=OFF -D USE_NGHTTP2=OFF -D CURL_BROTLI=OFF \
    -D CURL_ZSTD=OFF -D CURL_ZLIB=OFF -D CURL_USE_GSSAPI=OFF -D CURL_DISABLE_NTLM=ON -D BUILD_LIBCURL_DOCS=OFF \
    -D BUILD_MISC_DOCS=OFF -D ENABLE_CURL_MANUAL=OFF
}

# What terminals can do is read from the system's database, wherever distributions have it.
build_ncurses() {
  with_configure "$1" libs --with-termlib=tinfo --without-shared --with-normal --without-debug --without-cxx \
    --without-cxx-binding --without-ada --without-progs --without-tests --without-manpages --disable-db-install \
    --disable-widec --with-default-terminfo-dir=/usr/share/terminfo \
    --with-terminfo-dirs=/etc/terminfo:/lib/terminfo:/usr/share/terminfo:/usr/lib/terminfo
  logged make -C "$1" install.libs install.includes
  cp "$prefix"/include/ncurses/*.h "$prefix/include/"
}

build_libedit() { with_configure "$1" install --disable-shared --enable-static --with-pic --disable-examples; }
build_zlib() { with_cmake "$1" -D ZLIB_BUILD_EXAMPLES=OFF && rm -f "$prefix"/lib/libz.so*; }
build_zstd() {
  with_cmake "$1/build/cmake" -D ZSTD_BUILD_PROGRAMS=OFF -D ZSTD_BUILD_SHARED=OFF -D ZSTD_BUILD_TESTS=OFF \
    -D ZSTD_LEGACY_SUPPORT=OFF -D ZSTD_MULTITHREAD_SUPPORT=OFF
}
build_openssl() {
  (cd "$1" && logged ./Configure no-shared no-tests no-docs no-apps no-module no-legacy --release --prefix="$prefix" \
    --libdir=lib --openssldir=/etc/ssl -fPIC -ffunction-sections -fdata-sections "-ffile-prefix-map=$tmp=.")
  logged make -C "$1" -j "$CMAKE_BUILD_PARALLEL_LEVEL" build_libs
  logged make -C "$1" install_dev
}
build_json() { with_cmake "$1" -D JSON_BuildTests=OFF; }
build_cli11() { with_cmake "$1" -D CLI11_BUILD_EXAMPLES=OFF -D CLI11_BUILD_TESTS=OFF -D CLI11_BUILD_DOCS=OFF; }
build_boost() { mkdir -p "$prefix/include" && cp -r "$1/boost" "$prefix/include/"; }

if [ "${2:-}" = fetch ]; then
  fetch "$3" "$4"
  exit 0
fi
wanted=(fmt spdlog prometheus curl ncurses libedit)
[ "${2:-}" = all ] && wanted=(zlib zstd openssl boost json cli11 "${wanted[@]}")
for name in "${wanted[@]}"; do
  stamp=$prefix/.built/$name
  source=$(grep "^$name " <<<"$sources")
  [ "$(cat "$stamp" 2>/dev/null)" = "$source" ] && continue
  echo "==> building $name for the wheel"
  fetch "$name" "$tmp/$name"
  "build_$name" "$tmp/$name"
  mkdir -p "$prefix/licenses"
  licence=("$tmp/$name"/LICENSE* "$tmp/$name"/COPYING "$tmp/$name"/README)
  cp "${licence[0]}" "$prefix/licenses/$name"
  rm -rf "${tmp:?}/$name"
  mkdir -p "$prefix/.built"
  echo "$source" >"$stamp"
done
