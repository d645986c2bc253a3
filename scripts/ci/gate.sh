#!/usr/bin/env bash
# One check for branch protection: every job before it succeeded. RESULTS holds their results.
set -euo pipefail
echo "results: $RESULTS"
for result in $RESULTS; do
  [ "$result" = success ] || { echo "error: a job ended with $result" >&2; exit 1; }
done
