#!/usr/bin/env bash
# Our files, and the units.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

cp --recursive --no-preserve=ownership,timestamps "$payload/rootfs/." /
chmod -R u=rwX,go=rX /etc/auto-lambda

systemd-sysusers /usr/lib/sysusers.d/autolambda.conf

shopt -s nullglob
for unit in "$payload"/units/*; do
    install -D --mode=0644 --target-directory=/usr/lib/systemd/system "$unit"
done
systemctl daemon-reload
