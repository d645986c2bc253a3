#!/bin/sh
# Installs what the build needs into an image of Debian 12 or Ubuntu (22.04, 24.04).
#
# Debian 12 has all of it. Ubuntu lacks LLVM 19, which comes from LLVM's own package archive; a Rust that is new
# enough, from Rust's own archive; and 22.04 a CMake that is new enough, from PyPI. The rest has the same names.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=/dev/null
. /etc/os-release
if [ "$ID" = debian ]; then
  exec "$here/scripts/install_deps.sh" "${1:-build}"
fi
if [ "$ID" != ubuntu ]; then
  echo "error: the base image is $PRETTY_NAME, expected Debian 12 or Ubuntu 22.04 or newer" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends ca-certificates curl gnupg python3-pip xz-utils
curl -fsSL --retry 3 https://apt.llvm.org/llvm-snapshot.gpg.key | gpg --dearmor -o /usr/share/keyrings/llvm.gpg
echo "deb [signed-by=/usr/share/keyrings/llvm.gpg] https://apt.llvm.org/$VERSION_CODENAME/ llvm-toolchain-$VERSION_CODENAME-19 main" \
  >/etc/apt/sources.list.d/llvm-19.list
apt-get update -q
apt-get install -y -q --no-install-recommends make ninja-build g++-12 ccache pkg-config git python3 \
  llvm-19-dev liblld-19-dev opencl-c-headers libzstd-dev zlib1g-dev libxml2-dev libedit-dev libcurl4-openssl-dev libboost-dev \
  nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libssl-dev prometheus-cpp-dev
# 22.04's CMake is older than the build asks for.
PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet cmake==3.31.10
update-alternatives --install /usr/bin/c++ c++ /usr/bin/g++-12 100
update-alternatives --install /usr/bin/cc cc /usr/bin/gcc-12 100

rust=1.87.0
machine=$(uname -m)-unknown-linux-gnu
work=$(mktemp -d)
curl -fsSL --retry 3 -o "$work/rust.tar.xz" "https://static.rust-lang.org/dist/rust-$rust-$machine.tar.xz"
curl -fsSL --retry 3 -o "$work/sum" "https://static.rust-lang.org/dist/rust-$rust-$machine.tar.xz.sha256"
echo "$(cut -d' ' -f1 "$work/sum")  $work/rust.tar.xz" | sha256sum -c -
tar -xJf "$work/rust.tar.xz" -C "$work"
"$work/rust-$rust-$machine/install.sh" --prefix=/usr --components=rustc,cargo,"rust-std-$machine"
rm -rf "$work"
