#!/usr/bin/env bash
# Builds the serving half of the program (MLC_COMPILER=OFF) for other platforms, runs its unit tests under an emulator,
# chats with models that this machine's compiler compiled for them, and asks its server for an answer over HTTP. Ends
# with one line per platform.
#
#   scripts/test_platforms.sh linux        this machine: the program without the compiler needs no LLVM (its unit tests
#                                          are those of `make test`)
#   scripts/test_platforms.sh aarch64      64-bit ARM Linux, under qemu's user emulation
#   scripts/test_platforms.sh windows      64-bit Windows, under Wine
#
# Exits 1 if anything failed. docs/platforms.md says what this proves and what it does not.
set -euo pipefail
cd "$(dirname "$0")/.."

schemes=(q0f16 q4f16_1)
prompt="Tell me a story about a fox"

# The settings of a platform: triple, how its programs are called and run, what its libraries end in.
settings() {
  preset=$1
  folders=(base target artifact quant weights model runtime text engine protocol serve)
  case $1 in
    linux)
      preset=serve triple=$(uname -m)-linux-gnu exe="" suffix=.so
      run=(env)
      deps=true
      folders=()
      unset MLC_TEST_CC
      ;;
    aarch64)
      triple=aarch64-linux-gnu exe="" suffix=.so
      run=(qemu-aarch64-static -L build/aarch64-sysroot)
      deps=scripts/platforms/aarch64_sysroot.sh
      export MLC_TEST_CC=aarch64-linux-gnu-gcc
      ;;
    windows)
      triple=x86_64-windows-gnu exe=.exe suffix=.dll
      run=(scripts/platforms/wine.sh)
      deps=scripts/platforms/windows_deps.sh
      unset MLC_TEST_CC
      ;;
    *)
      echo "error: found \"$1\", expected linux, aarch64 or windows" >&2
      exit 2
      ;;
  esac
}

# The number in GoogleTest's summary line "[  PASSED  ] 12 tests.", or 0.
count() { sed -nE "s/^\[  $1 \] ([0-9]+) tests?[.,].*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

run_unit_tests() {
  local folder log
  for folder in "${folders[@]}"; do
    log=build/$preset/test_$folder.log
    if ! timeout 1500 "${run[@]}" "build/$preset/test_$folder$exe" >"$log" 2>&1 && [ "$(count 'FAILED ' "$log")" = 0 ]; then
      failed=$((failed + 1)) # it crashed or hung: there is no summary
      printf '%s: test_%s ended early\n' "$platform" "$folder"
    fi
    printf '%s: test_%s: %s passed, %s failed, %s skipped\n' "$platform" "$folder" "$(count 'PASSED ' "$log")" \
      "$(count 'FAILED ' "$log")" "$(count 'SKIPPED' "$log")"
    grep -E '^\[  FAILED  \] [A-Za-z]' "$log" | sort -u || true
    passed=$((passed + $(count 'PASSED ' "$log")))
    failed=$((failed + $(count 'FAILED ' "$log")))
    skipped=$((skipped + $(count 'SKIPPED' "$log")))
  done
}

# Without the compiler its commands are not offered, and nothing of LLVM is linked.
check_commands() {
  local program=build/$preset/bin/mlc_llm$exe help
  help=$("${run[@]}" "$program" --help | tr -d '\r')
  if grep -qE '^ +serve ' <<<"$help" && ! grep -qE '^ +(compile|tune|opt|bench) ' <<<"$help" &&
    ! grep -qaE 'libLLVM|LLVMInitialize' "$program"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf '%s: the program offers commands of the compiler, or holds LLVM\n' "$platform"
  fi
}

# The same greedy answer as on this machine: kernels of one schedule add in one order on every target.
run_chats() {
  local scheme library answer
  for scheme in "${schemes[@]}"; do
    library=build/$preset/demo-$scheme$suffix
    build/release/bin/mlc_llm compile models/demo --quantization "$scheme" --host "$triple" -o "$library"
    local flags=(chat models/demo --quantization "$scheme" --temperature 0 --max-tokens 40 --prompt "$prompt")
    expected=$(build/release/bin/mlc_llm "${flags[@]}" --mcpu x86-64 2>/dev/null)
    answer=$(MLC_LLM_HOME=build/$preset/home timeout 600 "${run[@]}" "build/$preset/bin/mlc_llm$exe" "${flags[@]}" \
      --model-lib "$library" 2>"build/$preset/chat.log" | tr -d '\r') || true
    printf '%s: chat, %s, %s: %s\n' "$platform" "$scheme" "$(file -b "$library" | cut -c1-60)" "$answer"
    if [ -n "$answer" ] && [ "$answer" = "$expected" ]; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      printf '  expected: %s\n' "$expected"
      tail -n 3 "build/$preset/chat.log"
    fi
  done
}

# One chat over HTTP: the server starts, is healthy and answers what the terminal answered.
run_server() {
  local scheme=${schemes[-1]} port answer server
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  MLC_LLM_HOME=build/$preset/home "${run[@]}" "build/$preset/bin/mlc_llm$exe" serve models/demo --quantization "$scheme" \
    --model-lib "build/$preset/demo-$scheme$suffix" --host 127.0.0.1 --port "$port" >"build/$preset/serve.log" 2>&1 &
  server=$!
  answer=$(python3 scripts/platforms/ask_server.py "$port" demo "$prompt") || true
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  printf '%s: serve, %s: %s\n' "$platform" "$scheme" "$answer"
  if [ -n "$answer" ] && [ "$answer" = "$expected" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    tail -n 3 "build/$preset/serve.log"
  fi
}

test_platform() {
  platform=$1 passed=0 failed=0 skipped=0
  settings "$platform"
  scripts/install_deps.sh "${platform/linux/build}"
  "$deps"
  scripts/build.sh release mlc_llm
  scripts/build.sh "$preset" mlc_llm "${folders[@]/#/test_}"
  run_unit_tests
  check_commands
  run_chats
  run_server
  summary+=("$platform: $passed passed, $failed failed, $skipped skipped (${run[0]##*/})")
  all_failed=$((all_failed + failed))
}

[ $# -gt 0 ] || set -- linux aarch64 windows
summary=() all_failed=0
for name in "$@"; do test_platform "$name"; done
printf '%s\n' "${summary[@]}"
[ "$all_failed" -eq 0 ]
