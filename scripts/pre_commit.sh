#!/usr/bin/env bash
# pre-commit, from PATH (conda's mlc-dev, the dev image) or from build/dev-venv.
#
#   scripts/pre_commit.sh install
#   scripts/pre_commit.sh run --all-files
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v pre-commit >/dev/null; then
  exec pre-commit "$@"
fi
bin=$(scripts/dev_env.sh)
exec "$bin/pre-commit" "$@"
