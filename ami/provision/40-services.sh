#!/usr/bin/env bash
# Units that start at boot. They are enabled, not started: their settings are written at first boot. Template units are
# not enabled: others start them.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

shopt -s nullglob
for unit in "$payload"/units/*[!@].{service,socket}; do
    systemctl enable --quiet "$(basename "$unit")"
done
if on_amazon_linux; then
    systemctl enable --quiet amazon-cloudwatch-agent.service amazon-ssm-agent.service
fi
