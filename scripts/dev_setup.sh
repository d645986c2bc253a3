#!/usr/bin/env bash
# Prepares a fresh checkout for development. Every step that was done before is quick; what is missing on the machine
# and optional (Docker, Git LFS) is said at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
later=()

scripts/install_deps.sh test
git submodule update --init --recursive
if git lfs version >/dev/null 2>&1; then
  git lfs install --local >/dev/null
  git lfs pull
else
  later+=("Git LFS is not installed (apt-get install git-lfs); no file of this repository needs it today")
fi
scripts/dev_env.sh >/dev/null
echo "==> Python tools: build/dev-venv/bin (Jupyter Lab, TensorBoard, pytest, linters)"
if docker info >/dev/null 2>&1; then
  scripts/docker.sh build-dev
else
  later+=("there is no Docker engine: \`make docker-up\` and the dev container will not work; \`make build\` and \`make test\` do")
fi
for line in "${later[@]}"; do echo "note: $line"; done
echo "==> ready: make build, make test-fast, make dev-check"
