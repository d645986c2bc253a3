#!/usr/bin/env bash
# Prepares a Debian 12 container: the packages of the build and of the tests (with OpenCL's and Vulkan's loaders; CUDA
# is loaded at run time where a driver is), and the Python of $PYTHON_VERSION for the client tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
# The checkout belongs to the runner's user, the container runs as root.
git config --global --add safe.directory "$PWD"
scripts/install_deps.sh test
wanted=${PYTHON_VERSION:-3.11}
python=$(command -v python3)
if [ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$wanted" ]; then
  python3 -m venv build/uv
  build/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
  build/uv/bin/uv python install "$wanted"
  python=$(build/uv/bin/uv python find "$wanted")
fi
echo "PYTHON=$python" >>"$GITHUB_ENV"
