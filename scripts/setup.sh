#!/usr/bin/env bash
# Make .venv at the root with auto-lambda and everything that its tests need in it. Quick when nothing has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
    local candidate
    for candidate in "${AUTO_LAMBDA_SETUP_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "auto-lambda needs Python 3.11 or newer; install it, or name one in AUTO_LAMBDA_SETUP_PYTHON" >&2
    exit 1
}

stamp=.venv/.made-from
wanted=$(cat setup.cfg pyproject.toml requirements.txt scripts/setup.sh | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0

python=$(find_python)
echo "setting up .venv with $("$python" --version)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pinned_uv=$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.txt)
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$pinned_uv"
export UV_PYTHON_DOWNLOADS=never
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --requirements requirements.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
echo "$wanted" > "$stamp"
