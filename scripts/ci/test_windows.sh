#!/usr/bin/env bash
# What runs on Windows by itself: the release tools and the policies, in Python. The C++ code is not built with MSVC;
# docs/deviations.md tells what is built for Windows, where, and how far it was run.
set -euo pipefail
cd "$(dirname "$0")/../.."
python -m pip install --quiet --disable-pip-version-check -r tests/infra/requirements.txt
cd tests/infra
exec python -m pytest -q -p no:cacheprovider test_tags.py test_version.py test_workflows.py
