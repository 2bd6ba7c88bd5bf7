#!/usr/bin/env bash
# Installs what tests need from the distribution, mostly those of the machine image and of native builds, as root on
# Debian; elsewhere it prints what is missing. With --vm also what virtual machines need; with --browser only the browser,
# with --pictures what the pictures of the documentation are drawn with.
set -euo pipefail

declare -A package_of=(
    [packer]=packer [shellcheck]=shellcheck [systemd-nspawn]=systemd-container [mmdebstrap]=mmdebstrap
    [ssh-keygen]=openssh-client [systemd-analyze]=systemd [bwrap]=bubblewrap [pg_config]=libpq-dev [cc]=gcc
)
case "${1:-}" in
    --vm) package_of+=([qemu-system-x86_64]=qemu-system-x86 [mke2fs]=e2fsprogs) ;;
    --browser) package_of=([chromium]=chromium) ;;
    --pictures) package_of=([chromium]=chromium [dot]=graphviz) ;;
esac
missing=()
[ "${1:-}" != --pictures ] || [ -d /usr/share/fonts/opentype/inter ] || missing+=(fonts-inter)
for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "skipping tests that need ${missing[*]}: install them, or run as root on Debian"
    exit 0
fi
echo "installing for the tests: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}" >/dev/null
