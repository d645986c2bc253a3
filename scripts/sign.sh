#!/usr/bin/env bash
# Ed25519 signatures of released files, with OpenSSL alone.
#
#   scripts/sign.sh keygen KEY.pem             makes KEY.pem (secret) and KEY.pem.pub
#   scripts/sign.sh sign KEY.pem FILE ...      writes FILE.sig beside each
#   scripts/sign.sh verify KEY.pem.pub FILE …  checks FILE.sig; fails on the first that does not fit
set -euo pipefail
usage() {
  sed -n 's/^#   \(scripts.*\)/\1/p' "$0" >&2
  exit 2
}
[ $# -ge 2 ] || usage
action=$1 key=$2
shift 2
case $action in
  keygen)
    (umask 077 && openssl genpkey -algorithm ed25519 -out "$key")
    openssl pkey -in "$key" -pubout -out "$key.pub"
    ;;
  sign)
    [ $# -gt 0 ] || usage
    for file in "$@"; do
      openssl pkeyutl -sign -rawin -inkey "$key" -in "$file" -out "$file.sig"
    done
    ;;
  verify)
    [ $# -gt 0 ] || usage
    for file in "$@"; do
      openssl pkeyutl -verify -rawin -pubin -inkey "$key" -in "$file" -sigfile "$file.sig" >/dev/null 2>&1 ||
        { echo "error: $file: its signature does not fit (or $file.sig is missing)" >&2; exit 1; }
    done
    echo "$# files verified"
    ;;
  *) usage ;;
esac
