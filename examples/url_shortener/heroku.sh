#!/bin/sh
# heroku.sh DIRECTORY: make, or bring up to date, a git repository that Heroku can build: the files of this directory that
# the program needs, and the library as a wheel in vendor/, which requirements.txt names instead of the release on PyPI.
set -eu
cd "$(dirname "$0")"
tree=$1

mkdir -p "$tree"
[ -d "$tree/.git" ] || git init --quiet --initial-branch main "$tree"
git -C "$tree" rm -r --quiet --force --ignore-unmatch .
cp -R shortener static templates Procfile .python-version "$tree"
find "$tree/shortener" -name __pycache__ -prune -exec rm -rf {} +
mkdir -p "$tree/vendor"
rm -f "$tree"/vendor/*
python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$tree/vendor" ../..
wheel=$(cd "$tree" && echo vendor/ssshelf-*.whl)
sed "s#^ssshelf\(\[.*\]\).*#./$wheel\1#" requirements.txt >"$tree/requirements.txt"
git -C "$tree" add --all
git -C "$tree" diff --cached --quiet || git -C "$tree" commit --quiet --message "The shortener, with $(basename "$wheel")"
echo "$tree is ready to be pushed: git push heroku main"
