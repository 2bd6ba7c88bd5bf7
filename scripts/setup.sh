#!/usr/bin/env bash
# Creates .venv at the root, with auto-lambda and everything that its tests need. Quick if nothing has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

# A minimal Debian or Ubuntu has Python without venv, and no bubblewrap.
system_package() {
    local sudo=()
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        sudo=(sudo --non-interactive)
        "${sudo[@]}" true 2>/dev/null || return 1
    fi
    echo "installing $1"
    { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1" || {
        "${sudo[@]}" apt-get update -qq &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1"
    }; } >/dev/null 2>&1
}

command -v bwrap >/dev/null || system_package bubblewrap ||
    echo "note: bubblewrap is missing: a worker refuses to start, and the demo builds apps without isolation" \
        "(sudo apt-get install bubblewrap)" >&2

stamp=.venv/.made-from
wanted=$(cat setup.cfg setup.py pyproject.toml requirements.txt auto_lambda/locks/build.txt scripts/setup.sh | sha256sum)
up_to_date() { [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; }
up_to_date && exit 0

exec 9<. # one at a time: two `make` in one folder would get in each other's way
flock 9
up_to_date && exit 0

find_python() {
    local candidate
    for candidate in "${AUTO_LAMBDA_SETUP_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "auto-lambda needs Python 3.11 or newer; install it, or set AUTO_LAMBDA_SETUP_PYTHON to it" >&2
    exit 1
}

python=$(find_python)
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    system_package "$package" || {
        echo "$python cannot create virtual environments: install $package (sudo apt-get install $package)" >&2
        exit 1
    }
fi

# A company's certificates: pip does not look where uv does, nor the other way round.
certificates=${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-${PIP_CERT:-}}}
if [ -n "$certificates" ]; then
    export PIP_CERT="${PIP_CERT:-$certificates}"
    [ -n "${UV_SYSTEM_CERTS:-}" ] || export SSL_CERT_FILE="$certificates"
fi

echo "setting up .venv with $("$python" --version)"
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
# uv first, from its lines in the lock; it installs the rest much faster than pip.
sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p}' requirements.txt >.venv/uv.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
export UV_PYTHON_DOWNLOADS=never
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --requirements requirements.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --build-constraints auto_lambda/locks/build.txt --editable .
# Builders run under a user that cannot write here, and would compile all of this again each time one starts.
env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -c 'import builder.__main__, builder.compose, builder.perform'
echo "$wanted" >"$stamp"
