#!/usr/bin/env bash
# Installs what the build (and with "test" also the tests) need, from Debian's packages. Does nothing when everything is
# there. Needs root or sudo only when something is missing.
#
#   scripts/install_deps.sh build     compiler, LLVM, libraries
#   scripts/install_deps.sh test      the same, and what the test suite runs
#   scripts/install_deps.sh wheel     the build's, and what makes the wheel of it
#   scripts/install_deps.sh fuzz      the build's, and Clang with libFuzzer
#   scripts/install_deps.sh aarch64   the build's, and what cross-builds for ARM and runs it
#   scripts/install_deps.sh windows   the build's, and what cross-builds for Windows and runs it
set -euo pipefail

build=(make cmake ninja-build g++ ccache pkg-config git python3 ca-certificates
  llvm-19-dev liblld-19-dev opencl-c-headers libzstd-dev zlib1g-dev libxml2-dev
  libedit-dev libcurl4-openssl-dev libboost1.81-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libssl-dev prometheus-cpp-dev
  rustc-web cargo-web)
tests=(libgtest-dev libgmock-dev clang-format-19 clang-tidy-19 shellcheck docker-registry skopeo rustfmt-web rust-web-clippy python3-venv nodejs
  pocl-opencl-icd ocl-icd-libopencl1 libxgboost0 prometheus qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  chromium fonts-dejavu-core buildah mmdebstrap git-lfs docker-compose
  prometheus-alertmanager nginx-light haproxy systemd)

wanted=("${build[@]}")
if [ "${1:-build}" = test ]; then
  wanted+=("${tests[@]}")
  # Debian's nodejs comes without npm; NodeSource's brings its own and conflicts with Debian's npm.
  command -v npm >/dev/null || wanted+=(npm)
fi

[ "${1:-build}" = wheel ] && wanted+=(lld-19 python3-venv xz-utils)
[ "${1:-build}" = fuzz ] && wanted+=(clang-19 libclang-rt-19-dev)
[ "${1:-build}" = aarch64 ] && wanted+=(g++-aarch64-linux-gnu qemu-user-static mmdebstrap rust-web-src file)
[ "${1:-build}" = windows ] && wanted+=(g++-mingw-w64-x86-64-posix wine64 rust-web-src googletest dpkg-dev perl file)

missing=()
for p in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | cut -c1-2)" = ii ] || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "==> installing ${#missing[@]} packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: these packages are missing, and installing them needs root or sudo. As root, run:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
  echo "error: no apt-get here; on Debian 12 the packages are: ${missing[*]}" >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${as_root[@]}" apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
  { tail -n 30 "$log" >&2; echo "error: apt-get could not install the packages above" >&2; exit 1; }
echo "==> installed"
