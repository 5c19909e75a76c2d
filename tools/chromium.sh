#!/bin/sh
# chromium.sh: install Debian's Chromium, which tests marked "browser" drive, unless there is one.
set -eu
if command -v chromium >/dev/null; then exit; fi
[ "$(id -u)" = 0 ] || { echo "there is no chromium, and installing it needs root" >&2 && exit 1; }
command -v apt-get >/dev/null || { echo "there is no chromium, and no apt-get to install it" >&2 && exit 1; }
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
  { echo "apt-get cannot install chromium" >&2 && exit 1; }
