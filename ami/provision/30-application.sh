#!/usr/bin/env bash
# Our wheel with its dependencies, locked by hash, and the tool environments of every Python version.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

python=$(newest_python)
wheel=$(echo "$payload"/wheel/*.whl)
cache=$(mktemp --directory --tmpdir=/var/tmp auto-lambda-uv.XXXXXX)
trap 'rm -rf "$cache"' EXIT
export UV_CACHE_DIR=$cache UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

[ -x $home/venv/bin/python ] || "$python" -m venv $home/venv
# uv first, from its lines in the lock; it installs the rest much faster than pip.
sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p}' "$payload/installation.txt" >"$cache/uv.txt"
$home/venv/bin/python -m pip install --quiet --require-hashes --requirement "$cache/uv.txt"
uv=$home/venv/bin/uv
$uv pip install --quiet --compile-bytecode --python $home/venv/bin/python --require-hashes --requirement "$payload/installation.txt"
$uv pip install --quiet --compile-bytecode --python $home/venv/bin/python --no-deps --reinstall "$wheel"
ln --symbolic --force $home/venv/bin/auto-lambda /usr/local/bin/auto-lambda

$home/venv/bin/python -m ami.bake $home/tools
