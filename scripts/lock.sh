#!/usr/bin/env bash
# Resolves every lock again: ours (requirements.txt) and those of the tool environments (auto_lambda/locks).
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header "$@"; }
compile setup.cfg --all-extras --output-file requirements.txt
# What a machine gets that only runs the daemons, in the same versions.
compile setup.cfg --extra worker --extra checker --constraint requirements.txt --output-file auto_lambda/locks/installation.txt
for name in build compiler embedded-aws entrypoint farm policy runtime; do
    compile "auto_lambda/locks/$name.in" --output-file "auto_lambda/locks/$name.txt"
done
.venv/bin/python scripts/sbom.py
