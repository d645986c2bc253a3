#!/usr/bin/env bash
# Line coverage of C++ (gcov, preset `coverage`) and Python (pytest-cov), as text, HTML and Cobertura XML in
# build/coverage/report; fails under COVERAGE_MIN percent (80) of the lines of either.
#
#   scripts/coverage.sh            builds, runs the unit, client, command line and package tests, reports
#   scripts/coverage.sh report     reports again from what the last run left
set -euo pipefail
cd "$(dirname "$0")/.."
minimum=${COVERAGE_MIN:-80}
bin=$(scripts/lint_env.sh)
report=build/coverage/report
mkdir -p "$report"
failed=0
export COVERAGE_FILE=$PWD/build/coverage/.coverage
if [ "${1:-}" != report ]; then
  scripts/build.sh coverage all
  find build/coverage -name '*.gcda' -delete
  for suite in test_ cli; do # "cli" also names the clients
    MLC_PROPERTY_CASES=${MLC_PROPERTY_CASES:-8} python3 scripts/run_tests.py all --preset coverage --only "$suite" || failed=1
  done
  MLC_LLM_BIN=$PWD/build/coverage/bin/mlc_llm MLC_LLM_LIB=$PWD/build/coverage/lib/libmlc_llm.so \
    MLC_LLM_HOME=$PWD/build/coverage/test-home tests/run.sh tests/unit tests/integration -m "not slow" \
    --cov=mlc_llm --cov-report= || failed=1
fi
echo "==> Python: python/mlc_llm"
build/venv-tests/bin/python -m coverage report --fail-under="$minimum" | tee "$report/python.txt" || failed=1
build/venv-tests/bin/python -m coverage html -q -d "$report/python"
build/venv-tests/bin/python -m coverage xml -q -o "$report/cobertura-python.xml"
echo "==> C++: src"
# Tests, fuzz targets and third-party code are not what is measured.
"$bin/gcovr" -j 2 --root . --filter 'src/' --exclude '.*_test\.cc' --exclude 'src/.*/testing/' --gcov-ignore-parse-errors=all \
  --exclude-throw-branches --txt "$report/cpp.txt" --cobertura "$report/cobertura.xml" --html-nested "$report/index.html" \
  --json-summary "$report/cpp.json" --fail-under-line "$minimum" build/coverage || failed=1
tail -n 4 "$report/cpp.txt"
exit "$failed"
