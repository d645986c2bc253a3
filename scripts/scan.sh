#!/usr/bin/env bash
# What the pipeline's scanner reports on the source tree, here. Needs Trivy and its database (network).
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v trivy >/dev/null; then
  echo "error: Trivy is not installed; https://trivy.dev tells how. CI runs version 0.69.3 (.github/workflows/ci.yml)" >&2
  exit 1
fi
exec trivy filesystem --scanners vuln,secret,misconfig --severity CRITICAL,HIGH --ignore-unfixed --exit-code 1 \
  --skip-dirs build .
