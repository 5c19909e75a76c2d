#!/usr/bin/env bash
# s3rver, a small S3 on the file system that ignores every condition: what must be refused.
#
#   s3rver.sh install              put it into the cache, from npm; node comes from apt-get if there is none
#   s3rver.sh run DATA_DIR PORT    serve on loopback until it is ended; access key and secret are "S3RVER"
#   s3rver.sh version              tell which one that is
set -euo pipefail

version=3.7.1
root=${XDG_CACHE_HOME:-$HOME/.cache}/ssshelf/s3rver-$version

install() {
  [ ! -d "$root" ] || return 0
  command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends npm >/dev/null; } ||
    { echo "s3rver.sh: npm is missing, and apt-get cannot install it" >&2 && exit 1; }
  rm -rf "$root.part"
  npm install --silent --no-fund --no-audit --prefix "$root.part" s3rver@$version >/dev/null
  mv "$root.part" "$root" # only what is complete gets the final name
}

run() { # it hashes with what OpenSSL 3 calls legacy
  exec node --openssl-legacy-provider "$root/node_modules/s3rver/bin/s3rver.js" \
    --directory "$1" --address 127.0.0.1 --port "$2" --no-vhost-buckets --silent
}

case "$# ${1:-}" in
  "1 install") install ;;
  "1 version") echo "$version" ;;
  "3 run") run "${@:2}" ;;
  *) sed -n '4,6s/^# *//p' "$0" >&2 && exit 2 ;;
esac
