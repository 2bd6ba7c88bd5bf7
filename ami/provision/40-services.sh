#!/usr/bin/env bash
# Services that start at boot. They are enabled, not started: their settings are written at first boot.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

shopt -s nullglob
for unit in "$payload"/units/*[!@].service; do
    systemctl enable --quiet "$(basename "$unit")"
done
if on_amazon_linux; then
    systemctl enable --quiet amazon-cloudwatch-agent.service amazon-ssm-agent.service
fi
