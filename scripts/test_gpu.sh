#!/usr/bin/env bash
# Runs the compiler's kernels on this machine's GPU through OpenCL. Without a GPU it says so and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
# The devices of NVIDIA's, AMD's and other drivers, as patterns: what does not exist is left out.
devices=(/dev/nvidia[0-9]* /dev/kf[d] /dev/dri/renderD*)
if [ ${#devices[@]} -eq 0 ]; then
  echo "error: there is no GPU device on this machine (none of /dev/nvidia*, /dev/kfd, /dev/dri/renderD*)" >&2
  exit 1
fi
echo "GPU devices: ${devices[*]}"
scripts/build.sh release test_codegen
MLC_TEST_GPU=1 build/release/test_codegen --gtest_filter='Opencl*'
