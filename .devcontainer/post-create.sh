#!/usr/bin/env bash
# Runs once, when the dev container is new: what a checkout needs that an image cannot have.
set -euo pipefail
cd "$(dirname "$0")/.."
# The mounted checkout may belong to another user id than the container's.
git config --global --get-all safe.directory | grep -qxF "$PWD" || git config --global --add safe.directory "$PWD"
git submodule update --init --recursive
git lfs install --local
git lfs pull
scripts/pre_commit.sh install
scripts/dev_check.sh
