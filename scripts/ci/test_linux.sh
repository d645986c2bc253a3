#!/usr/bin/env bash
# Debian's own Python (3.11): everything that must hold before a change lands. Other Pythons: all tests, no lint.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${PYTHON_VERSION:-3.11}" = 3.11 ]; then
  exec make ci
fi
exec make test
