#!/usr/bin/env bash
# Our files, and the units.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

# Only the modes of what comes with us are ours to set: settings lie beside it, and may hold keys.
chmod -R u=rwX,go=rX "$payload/rootfs"
cp --recursive --no-preserve=ownership,timestamps "$payload/rootfs/." /

systemd-sysusers /usr/lib/sysusers.d/autolambda.conf

shopt -s nullglob
for unit in "$payload"/units/*; do
    install -D --mode=0644 --target-directory=/usr/lib/systemd/system "$unit"
done
systemctl daemon-reload
