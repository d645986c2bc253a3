#!/usr/bin/env bash
# What the Makefile does with Docker: images, and the development container of docker-compose.yml.
#
#   scripts/docker.sh build-prod                 VARIANT=cuda|rocm|vulkan|cpu: docker/VARIANT.env
#   scripts/docker.sh docker-up
#
# DRY_RUN=1 prints the commands instead of running them.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?usage: scripts/docker.sh COMMAND}
variant=${VARIANT:-cpu}

fail() {
  echo "error: $*" >&2
  exit 1
}

run() {
  echo "+ $*"
  [ -n "${DRY_RUN:-}" ] || "$@"
}

need_engine() {
  [ -z "${DRY_RUN:-}" ] || return 0
  command -v docker >/dev/null || fail "make $what needs Docker 20.10 or newer, and there is no docker here"
  docker info >/dev/null 2>&1 ||
    fail "make $what needs a Docker engine, and docker reaches none: start it (systemctl start docker), or join its group"
}

need_plugin() {
  [ -z "${DRY_RUN:-}" ] || return 0
  docker "$1" version >/dev/null 2>&1 || fail "make $what needs Docker's $1 plugin (docker-$1-plugin), which is not installed"
}

# Builds a stage with the arguments of docker/VARIANT.env.
build() {
  local target=$1 file=docker/$variant.env line
  shift
  [ -f "$file" ] || fail "VARIANT is \"$variant\", expected one of: $(cd docker && echo ./*.env | sed 's#\./##g; s#\.env##g')"
  local args=()
  while IFS= read -r line; do
    line=${line#*=\"}
    args+=(--build-arg "${line%\"}")
  done < <(sed -nE 's/^([A-Z_]+)="?([^"]*)"?$/\1=\2/p' "$file")
  args+=(--build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
    --build-arg "VERSION=$(sed -nE 's/^project\(.* VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)"
    --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)")
  [ "$target" != dev ] || args+=(--build-arg "DEV_UID=${DEV_UID:-$(dev_uid)}")
  DOCKER_BUILDKIT=1 run docker build --target "$target" "${args[@]}" "$@" .
}

# Files in the mounted source belong to this user; root's would be nobody's in the container.
dev_uid() {
  local uid
  uid=$(id -u)
  if [ "$uid" = 0 ]; then echo 1000; else echo "$uid"; fi
}

compose() {
  local files=(-f docker-compose.yml)
  if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then files+=(-f docker/compose.gpu.yml); fi
  DEV_UID=${DEV_UID:-$(dev_uid)} run docker compose "${files[@]}" "$@"
}

need_engine
case $what in
  build-dev) build dev -t mlc-llm:dev ;;
  build-prod)
    tags=(-t "mlc-llm:prod-$variant")
    [ "$variant" != cpu ] || tags+=(-t mlc-llm:prod -t mlc-llm:latest)
    build prod "${tags[@]}"
    ;;
  build-multi)
    need_plugin buildx
    # The engine's own store holds one architecture, so the result is a file (`skopeo copy`, `docker load`).
    mkdir -p build
    run docker buildx build --platform linux/amd64,linux/arm64 -t mlc-llm:multi --output type=oci,dest=build/mlc-llm-multi.tar .
    ;;
  docker-up | docker-down | docker-logs | docker-rebuild)
    need_plugin compose
    case $what in
      docker-up) compose up --detach --build ;;
      docker-down) compose down ;;
      docker-logs) compose logs --tail 200 ;;
      docker-rebuild) compose build --no-cache --pull && compose up --detach --force-recreate ;;
    esac
    ;;
  *) fail "there is no command \"$what\"" ;;
esac
