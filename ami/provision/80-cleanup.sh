#!/usr/bin/env bash
# Removes everything that belongs to one machine, or to the person who built the image.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

if command -v dnf >/dev/null; then
    dnf --quiet clean all
    rm -rf /var/cache/dnf
else
    apt-get clean
    rm -rf /var/lib/apt/lists/*
fi
if command -v cloud-init >/dev/null; then
    cloud-init clean --logs --seed
fi
# Host keys are created at boot; authorized keys come with the instance.
rm -f /etc/ssh/ssh_host_*
find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -name authorized_keys -exec rm -f {} +
find /root /home -xdev -type f \( -name '.*_history' -o -name .lesshst -o -name .viminfo -o -name .netrc \) -delete
rm -rf /root/.aws /home/*/.aws /root/.cache /home/*/.cache
find /var/log -xdev -type f ! -path '/var/log/journal/*' -delete
if [ -d /var/log/journal ]; then
    journalctl --quiet --rotate --vacuum-time=1s >/dev/null 2>&1 || true
    rm -rf /var/log/journal/*
fi
find /var/tmp -mindepth 1 -maxdepth 1 ! -path "$payload" ! -name 'systemd-private-*' -exec rm -rf {} +
# Empty, not missing: systemd then creates a new one at first boot and keeps it.
truncate --size=0 /etc/machine-id
