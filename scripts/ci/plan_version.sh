#!/usr/bin/env bash
# The version, into the job's outputs; fails where a tag, CMakeLists.txt, pyproject.toml and CHANGELOG.md disagree.
set -euo pipefail
cd "$(dirname "$0")/../.."
arguments=(--check)
[ "${GITHUB_REF_TYPE:-}" = tag ] && arguments+=("$GITHUB_REF_NAME")
version=$(python3 scripts/version.py "${arguments[@]}")
echo "version=$version" >>"$GITHUB_OUTPUT"
