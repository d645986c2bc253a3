#!/usr/bin/env bash
# Sends the coverage report to Codecov. Without CODECOV_TOKEN there is nothing to do: the report is an artifact anyway.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${CODECOV_TOKEN:-}" ]; then
  echo "no CODECOV_TOKEN: nothing is sent"
  exit 0
fi
python3 -m venv build/codecov
build/codecov/bin/pip install --quiet --disable-pip-version-check codecov-cli==11.3.1
build/codecov/bin/codecovcli upload-process --file build/coverage/report/cobertura.xml --disable-search
