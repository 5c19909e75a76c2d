#!/usr/bin/env bash
# The real ssshelf 0.1.3, in an environment of its own:  legacy.sh install | legacy.sh fill ENDPOINT BUCKET
# It wants aiobotocore.get_session, which 1.4 was the last to have; that runs on the Python of this project, too.
set -euo pipefail
home=${XDG_CACHE_HOME:-$HOME/.cache}/ssshelf/legacy-0.1.3

install() {
    [ -e "$home/installed" ] && return
    rm -rf "$home"
    "${PYTHON:-python3}" -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'ssshelf==0.1.3' 'aiobotocore==1.4.2' setuptools
    touch "$home/installed"
}

case $1 in
    install) install ;;
    fill) exec "$home/bin/python" "$(dirname "$0")/legacy_fill.py" "$2" "$3" ;;
esac
