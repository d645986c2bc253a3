#!/usr/bin/env bash
# Leaves the digest of a pushed image as an empty file build/digests/<64 hexadecimal digits>.
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ ${DIGEST:-} =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "error: DIGEST is '${DIGEST:-}', expected sha256:…" >&2; exit 1; }
mkdir -p build/digests
touch "build/digests/${DIGEST#sha256:}"
