#!/usr/bin/env bash
# Decides whether to push images and under which names (scripts/tags.py), into the job's outputs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 scripts/tags.py --github
