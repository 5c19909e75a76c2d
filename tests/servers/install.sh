#!/usr/bin/env bash
# Install all servers that tests marked "ceph" or "servers" start; what is there already costs nothing.
set -euo pipefail
cd "$(dirname "$0")"

for version in 20 16; do CEPH_VERSION=$version ./ceph.sh install; done
./s3rver.sh install
./legacy.sh install
for kind in local dynalite; do ./dynamodb.sh install $kind; done
