#!/usr/bin/env bash
# Looks for inputs that break what reads strangers' bytes: libFuzzer with AddressSanitizer, target by target.
#
#   scripts/fuzz.sh 600                    every target for 600 seconds
#   scripts/fuzz.sh 60 chat_request        one of them
#
# Starts from fuzz/corpus/, keeps what it finds under build/fuzz/. An input that breaks something stays there as
# crash-…, timeout-… or leak-…; once fixed, it belongs into fuzz/corpus/<target>/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET ...]}
shift
scripts/install_deps.sh fuzz
scripts/build.sh fuzz fuzz
if [ $# -eq 0 ]; then
  mapfile -t targets < <(ls fuzz/corpus)
  set -- "${targets[@]}"
fi
for target in "$@"; do
  [ -d "fuzz/corpus/$target" ] || { echo "error: no target $target; there are: $(ls -x fuzz/corpus)" >&2; exit 2; }
  mkdir -p "build/fuzz/found/$target"
  echo "==> fuzzing $target for $seconds s"
  MLC_FUZZ_TARGET=$target build/fuzz/run_fuzz "build/fuzz/found/$target" "fuzz/corpus/$target" -max_total_time="$seconds" \
    -max_len=4096 -timeout=60 -rss_limit_mb=4096 -artifact_prefix="build/fuzz/" -print_final_stats=1 -verbosity=0 \
    2>&1 | tee "build/fuzz/$target.log" | grep -E "^stat::number_of_executed|ERROR|SUMMARY|Test unit written" || true
  ! grep -qE "ERROR|SUMMARY" "build/fuzz/$target.log" || { tail -n 60 "build/fuzz/$target.log" >&2; exit 1; }
  grep -q "stat::number_of_executed_units" "build/fuzz/$target.log" || { tail -n 60 "build/fuzz/$target.log" >&2; exit 1; }
done
echo "==> nothing broke"
