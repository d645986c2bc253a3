#!/usr/bin/env bash
# Creates the GitHub release of the tag with everything in dist/ and the notes of prepare_release.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
(cd dist && sha256sum --check --quiet SHA256SUMS)
options=(--verify-tag --title "$GITHUB_REF_NAME" --notes-file build/release-notes.md)
[ "${PRERELEASE:-false}" = true ] && options+=(--prerelease)
gh release create "$GITHUB_REF_NAME" dist/* "${options[@]}" --repo "$GITHUB_REPOSITORY"
