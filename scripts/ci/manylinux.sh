#!/usr/bin/env bash
# Prepares a manylinux_2_28 container (AlmaLinux 8) for the wheel: Rust, ccache, and in /opt/mlc what the wheel links.
# cibuildwheel runs it once, before it builds (python/pyproject.toml). What takes long is kept in $MLC_WHEEL_CACHE, where
# that is a directory; the workflow keeps it from run to run.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=/opt/mlc
rust=1.87.0
rustup=1.28.2
rustup_sha256=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c
dnf -q -y install epel-release
dnf -q -y install ccache opencl-headers perl xz
python3 -m venv /opt/mlc-tools
/opt/mlc-tools/bin/pip install --quiet --disable-pip-version-check cmake==3.31.10 ninja==1.13.0
ln -sf /opt/mlc-tools/bin/cmake /opt/mlc-tools/bin/ninja /usr/local/bin/
cache=${MLC_WHEEL_CACHE:-}
key=$(sha256sum scripts/wheel_deps.sh scripts/ci/build_llvm.sh | sha256sum | cut -c1-16)
[ -f "$cache/$key.tar.gz" ] && tar xzf "$cache/$key.tar.gz" -C /opt
scripts/wheel_deps.sh "$prefix" all
scripts/ci/build_llvm.sh "$prefix"
if [ -d "$cache" ] && [ ! -f "$cache/$key.tar.gz" ]; then
  rm -f "$cache"/*.tar.gz
  tar czf "$cache/$key.tar.gz" -C /opt mlc
fi
if [ ! -x "$prefix/cargo/bin/cargo" ]; then
  python3 - "https://static.rust-lang.org/rustup/archive/$rustup/x86_64-unknown-linux-gnu/rustup-init" /tmp/rustup-init <<'PY'
import sys, urllib.request
urllib.request.urlretrieve(*sys.argv[1:])
PY
  echo "$rustup_sha256  /tmp/rustup-init" | sha256sum --check --quiet
  chmod +x /tmp/rustup-init
  CARGO_HOME=$prefix/cargo RUSTUP_HOME=$prefix/rustup /tmp/rustup-init -q -y --no-modify-path --profile minimal \
    --default-toolchain "$rust"
fi
