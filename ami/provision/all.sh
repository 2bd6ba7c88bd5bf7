#!/usr/bin/env bash
# Runs every step in order, as root, on the build instance.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || fail not-root "the provisioning runs as root"
for step in "$payload"/provision/[0-9]*.sh; do
    name=$(basename "$step" .sh)
    say "$name"
    "$step" || fail "$name" "step $name ended with exit code $?; $(free_mb /) MB are free"
done
say "done"
