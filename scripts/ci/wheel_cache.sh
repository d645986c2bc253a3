#!/usr/bin/env bash
# Gives cibuildwheel's container the directory that the workflow caches: what scripts/ci/manylinux.sh builds stays there.
set -euo pipefail
mkdir -p "$HOME/wheel-cache"
{
  echo "CIBW_CONTAINER_ENGINE=docker; create_args: --volume=$HOME/wheel-cache:/wheel-cache"
  echo "MLC_WHEEL_CACHE=/wheel-cache"
} >>"$GITHUB_ENV"
