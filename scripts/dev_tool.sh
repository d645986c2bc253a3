#!/usr/bin/env bash
# Runs one of the Python linters on files: from PATH when it has the pinned version, else from build/lint-venv.
#
#   scripts/dev_tool.sh black FILE...
set -euo pipefail
cd "$(dirname "$0")/.."
tool=${1:?usage: scripts/dev_tool.sh TOOL [ARGUMENT ...]}
shift
pin=$(sed -nE "s/^$tool==(.*)/\1/p" scripts/ci/requirements.txt)
if command -v "$tool" >/dev/null && "$tool" --version 2>/dev/null | grep -qF "$pin"; then
  exec "$tool" "$@"
fi
bin=$(scripts/lint_env.sh)
exec "$bin/$tool" "$@"
