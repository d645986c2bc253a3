#!/bin/sh
# Entry point of the development image. Without arguments: Jupyter Lab on 8888 and TensorBoard on 6006, until either
# ends or the container is stopped. With arguments: that command, for example `docker run -it mlc-llm:dev bash`.
#
# Jupyter asks for the token that it prints at its start; JUPYTER_TOKEN sets it. TensorBoard reads $TENSORBOARD_LOGDIR.
# JUPYTER_PORT and TENSORBOARD_PORT change the ports where the host's network is used.
set -eu
if [ $# -gt 0 ]; then
  exec "$@"
fi
# A user id without a line in /etc/passwd gets HOME=/.
if ! [ -w "${HOME:-/}" ]; then
  HOME=$(mktemp -d)
  export HOME
fi
logs=${TENSORBOARD_LOGDIR:-$HOME/tensorboard}
mkdir -p "$logs"
jupyter lab --no-browser --ip=0.0.0.0 --port="${JUPYTER_PORT:-8888}" &
jupyter=$!
tensorboard --bind_all --port "${TENSORBOARD_PORT:-6006}" --logdir "$logs" &
tensorboard=$!
trap 'kill "$jupyter" "$tensorboard" 2>/dev/null; wait; exit 0' TERM INT
while kill -0 "$jupyter" 2>/dev/null && kill -0 "$tensorboard" 2>/dev/null; do
  sleep 1 &
  wait $!
done
echo "dev-entrypoint: Jupyter Lab or TensorBoard ended" >&2
kill "$jupyter" "$tensorboard" 2>/dev/null || true
exit 1
