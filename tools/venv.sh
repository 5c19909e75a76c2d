#!/bin/sh
# venv.sh PYTHON STAMP: make .venv with PYTHON, unless STAMP says that a complete one is there.
# Debian keeps a part of Python's venv module in a package of its own, which is installed where it is missing.
set -eu
python=$1 stamp=$2

if [ -e "$stamp" ]; then exit; fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo='sudo -n'; else
    echo "$python cannot make virtual environments. Run this first: sudo apt-get install $package" >&2
    exit 1
  fi
  echo "Installing $package" >&2
  $sudo apt-get update -qq
  $sudo apt-get install -qq --no-install-recommends "$package" >/dev/null
fi
"$python" -m venv --clear .venv
# The pip of Debian 12 resolves this project to releases that are years old.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
