#!/usr/bin/env bash
# Formats every file of every language, in place: clang-format, rustfmt, black and isort.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files 'src/*.cc' 'src/*.h')
clang-format-19 -i "${files[@]}"
cargo fmt --manifest-path rust/Cargo.toml
bin=$(scripts/lint_env.sh)
mapfile -t files < <(git ls-files '*.py' ':!tools/demo_model')
"$bin/isort" --quiet "${files[@]}"
"$bin/black" --quiet "${files[@]}"
