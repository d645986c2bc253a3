#!/bin/sh
# Entry point of the production image: prepares a home and a cache that this user can write, then becomes mlc_llm.
#
#   entrypoint.sh serve --port 8000        the arguments are the program's
#
# The container may run under any user id (`docker run --user 1234`, OpenShift's ranges) and on a read-only root: what
# cannot be written is replaced by a directory under $TMPDIR, and one line says so. `exec` at the end makes mlc_llm
# the process that gets SIGTERM.
set -eu

say() { echo "entrypoint: $*" >&2; }

# True when files can be made in $1, which is created if it is not there.
writable() {
  [ -n "$1" ] && mkdir -p "$1" 2>/dev/null && [ -d "$1" ] && probe=$(mktemp "$1/.probe.XXXXXX" 2>/dev/null) && rm -f "$probe"
}

uid=$(id -u)
scratch=${TMPDIR:-/tmp}/mlc-$uid

# A user id without a line in /etc/passwd gets HOME=/.
if [ "${HOME:-/}" = / ] || ! writable "$HOME"; then
  HOME=$scratch
  export HOME
  (umask 077 && mkdir -p "$HOME") 2>/dev/null || true
fi
USER=${USER:-$(name=$(id -un 2>/dev/null) || name=mlc; echo "$name")}
LOGNAME=$USER
export USER LOGNAME

cache=${MLC_LLM_HOME:-$HOME/.cache/mlc_llm}
if ! writable "$cache"; then
  if ! writable "$scratch/cache"; then
    say "neither $cache nor $scratch/cache can be written by user $uid: compiled models need a place;" \
      "mount a volume at $cache, or a tmpfs at ${TMPDIR:-/tmp}"
    exit 1
  fi
  say "$cache cannot be written by user $uid: compiled models go to $scratch/cache and are lost with the container"
  cache=$scratch/cache
fi
MLC_LLM_HOME=$cache
export MLC_LLM_HOME

exec "${MLC_LLM_PROGRAM:-mlc_llm}" "$@"
