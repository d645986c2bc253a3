#!/usr/bin/env bash
# Gives the scanned digests their names and signs them (cosign, keyless).
#
# Reads IMAGE, TAGS_PROD, TAGS_DEV and build/digests/digest-<target>-<arch>/<digest>; writes the digest of the production
# image to the job's outputs.
set -euo pipefail
cd "$(dirname "$0")/../.."

publish() { # TARGET TAG ...
  local target=$1 sources=() names=() file digest
  shift
  for file in build/digests/digest-"$target"-*/*; do
    digest=$(basename "$file")
    [[ $digest =~ ^[0-9a-f]{64}$ ]] || { echo "error: no digest of $target" >&2; exit 1; }
    sources+=("$IMAGE@sha256:$digest")
  done
  for tag in "$@"; do names+=(--tag "$IMAGE:$tag"); done
  docker buildx imagetools create "${names[@]}" "${sources[@]}"
  digest=$(docker buildx imagetools inspect "$IMAGE:$1" --format '{{.Manifest.Digest}}')
  cosign sign --yes --recursive "$IMAGE@$digest"
  [ "$target" = prod ] && echo "digest=$digest" >>"$GITHUB_OUTPUT"
  echo "$target: $digest as $*"
}

read -ra prod <<<"$TAGS_PROD"
read -ra dev <<<"$TAGS_DEV"
publish dev "${dev[@]}"
publish prod "${prod[@]}"
