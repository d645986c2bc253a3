#!/usr/bin/env bash
# Completes dist/ for a release: bill of materials, provenance, checksums, notes; and signatures where
# RELEASE_SIGNING_KEY names an Ed25519 key (scripts/sign.sh).
#
#   scripts/ci/prepare_release.sh            dist/ holds the wheels; $GITHUB_REF_NAME is the tag
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${GITHUB_REF_NAME:?the tag of the release}
python3 scripts/version.py --check "$tag"
mkdir -p dist build
compgen -G "dist/*.whl" >/dev/null || { echo "error: no wheel in dist/" >&2; exit 1; }
python3 scripts/sbom.py -o dist/sbom.cdx.json
python3 scripts/provenance.py dist/*.whl dist/sbom.cdx.json -o dist/provenance.intoto.json
(cd dist && sha256sum -- *.whl sbom.cdx.json provenance.intoto.json >SHA256SUMS)
if [ -n "${RELEASE_SIGNING_KEY:-}" ]; then
  scripts/sign.sh sign "$RELEASE_SIGNING_KEY" dist/SHA256SUMS
fi
python3 scripts/release_notes.py "$tag" "${GITHUB_REPOSITORY:-mlc-ai/mlc-llm}" >build/release-notes.md
