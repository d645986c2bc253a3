#!/usr/bin/env bash
# Shows this machine and which of the things that development needs it has. Ends with an error when something that
# `make build` cannot do without is missing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bad=0

# row NAME VALUE
row() { printf '  %-18s %s\n' "$1" "$2"; }

# tool NAME REQUIRED COMMAND…: the first line that the command prints, or that it is missing
tool() {
  local name=$1 required=$2 text
  shift 2
  if text=$("$@" 2>/dev/null | head -n 1) && [ -n "$text" ]; then
    row "$name" "$text"
  elif [ "$required" = required ]; then
    row "$name" "MISSING (make deps installs it)"
    bad=1
  else
    row "$name" "not there${required:+: $required}"
  fi
}

gib() { awk -v kb="$1" 'BEGIN { printf "%.1f GiB", kb / 1048576 }'; }
at_least() { if [ "$1" -lt "$2" ]; then echo " (recommended: $3)"; fi; }

memory=$(awk '/^MemTotal/ {print $2}' /proc/meminfo)
disk=$(df --output=avail -k . | tail -n 1)
echo "Machine"
row system "$(sed -nE 's/^PRETTY_NAME="(.*)"/\1/p' /etc/os-release), $(uname -sr), $(uname -m)"
row processor "$(nproc) x $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)$(at_least "$(nproc)" 4 '4 or more')"
row memory "$(gib "$memory")$(at_least "$memory" 15000000 '16 GiB or more')"
row "free disk" "$(gib "$disk")$(at_least "$disk" 50000000 '50 GiB or more')"
echo "Build"
tool make required make --version
tool cmake required cmake --version
tool ninja required ninja --version
tool compiler required c++ --version
tool llvm required /usr/lib/llvm-19/bin/llvm-config --version
tool cargo required sh -c '/usr/bin/cargo --version || cargo --version'
tool ccache "builds are slower without it" ccache --version
tool python required python3 --version
echo "Tools"
tool git required git --version
tool "git lfs" "apt-get install git-lfs" git lfs version
tool node "make deps; for the tests of the JavaScript clients" node --version
tool conda "only for environment-dev.yml" conda --version
tool pre-commit "make pre-commit-install" sh -c 'pre-commit --version || build/dev-venv/bin/pre-commit --version'
tool docker "for images and the dev container" docker --version
tool "docker engine" "docker reaches none" docker info --format '{{.ServerVersion}}'
tool "docker compose" "docker-compose-plugin" docker compose version
tool buildah "for make test-images" buildah --version
echo "Devices"
tool nvidia "no NVIDIA GPU" nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
tool rocm "no AMD GPU with ROCm" rocminfo
tool vulkan "vulkan-tools" sh -c 'vulkaninfo --summary | sed -n "s/.*deviceName *= //p"'
echo "This checkout"
tool commit required git log -1 --format='%h %s'
tool mlc_llm "make build" build/release/bin/mlc_llm --version
tool "last tests" "make test" cat build/test-summary.txt
[ "$bad" = 0 ] || echo "error: something that the build needs is missing; see above" >&2
exit "$bad"
