#!/usr/bin/env bash
# What the scanner looks at: the source tree, a published image by its tag, a pushed image by its digest, or the archive
# of an image not pushed.
#
# Reads SUBJECT (filesystem, tag:NAME, or TARGET-ARCH) and IMAGE (for tags REGISTRY and IMAGE_NAME); writes type, path, image and archive to the job's outputs.
set -euo pipefail
cd "$(dirname "$0")/../.."
type=image path='' image='' archive=''
if [ "$SUBJECT" = filesystem ]; then
  type=fs path=.
elif [[ $SUBJECT == tag:* ]]; then
  repository="${REGISTRY:?}/${IMAGE_NAME:?}"
  image="${repository,,}:${SUBJECT#tag:}"
elif [ -d build/scan/digest ]; then
  found=(build/scan/digest/*)
  digest=$(basename "${found[0]}")
  [[ ${#found[@]} -eq 1 && $digest =~ ^[0-9a-f]{64}$ ]] || { echo "error: no digest of $SUBJECT" >&2; exit 1; }
  image="${IMAGE:?}@sha256:$digest"
elif [ -f build/scan/image.tar ]; then
  archive=build/scan/image.tar
else
  echo "error: nothing to scan for $SUBJECT" >&2
  exit 1
fi
{ echo "type=$type"; echo "path=$path"; echo "image=$image"; echo "archive=$archive"; } >>"$GITHUB_OUTPUT"
