#!/usr/bin/env bash
# Line coverage of C++ (gcov, preset `coverage`) and Python (pytest-cov), as text, HTML and Cobertura XML in
# build/coverage/report; fails under COVERAGE_MIN percent of the lines of either.
#
#   scripts/coverage.sh            builds, runs the unit tests and the command line tests, reports
#   scripts/coverage.sh report     reports again from what the last run left
set -euo pipefail
cd "$(dirname "$0")/.."
minimum=${COVERAGE_MIN:-80}
bin=$(scripts/lint_env.sh)
report=build/coverage/report
mkdir -p "$report"
failed=0
if [ "${1:-}" != report ]; then
  scripts/build.sh coverage all
  find build/coverage -name '*.gcda' -delete
  for suite in test_ cli; do
    MLC_PROPERTY_CASES=${MLC_PROPERTY_CASES:-8} python3 scripts/run_tests.py all --preset coverage --only "$suite" || failed=1
  done
  tests/infra/run.sh --collect-only -q >/dev/null # makes its environment
  build/venv-infra/bin/python -m pip install --quiet --disable-pip-version-check pytest-cov==7.1.0
  (cd tests/infra && "$OLDPWD/build/venv-infra/bin/python" -m pytest -q -p no:cacheprovider \
    test_tags.py test_version.py test_supply_chain.py --cov "$OLDPWD/scripts" --cov-report= ) || failed=1
fi
# Tests, fuzz targets and third-party code are not what is measured.
"$bin/gcovr" -j 2 --root . --filter 'src/' --exclude '.*_test\.cc' --exclude 'src/.*/testing/' --gcov-ignore-parse-errors=all \
  --exclude-throw-branches --txt "$report/cpp.txt" --cobertura "$report/cobertura.xml" --html-nested "$report/index.html" \
  --json-summary "$report/cpp.json" --fail-under-line "$minimum" build/coverage || failed=1
tail -n 4 "$report/cpp.txt"
exit "$failed"
