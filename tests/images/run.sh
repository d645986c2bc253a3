#!/bin/sh
# Builds the images with buildah (no engine, no daemon) and runs them.
#
#   tests/images/run.sh [pytest options]            the production image, packed from build/release
#   MLC_IMAGES=full tests/images/run.sh             every stage from source, too; long
#
# Needs root, buildah, mmdebstrap and Debian's archive. Shares the virtual environment of tests/infra.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../infra/run.sh" --collect-only -q >/dev/null 2>&1 || true # makes the environment
cd "$here"
exec "$here/../../build/venv-infra/bin/python" -m pytest -q -p no:cacheprovider "$@"
