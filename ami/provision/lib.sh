# shellcheck shell=bash
# Functions of the provisioning steps. Steps are idempotent: running them again changes nothing.
set -euo pipefail
umask 022

# The unpacked payload: provision/, rootfs/, units/, wheel/, packages.tsv, installation.txt, payload.json.
payload=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Not below /opt, where the sandbox of a build has the dependency layer, as on Lambda.
# shellcheck disable=SC2034  # the steps use it
home=/usr/local/lib/auto-lambda

say() { echo "auto-lambda image: $*"; }

# The driver looks for these lines in Packer's output: a code for programs, then a sentence.
fail() {
    local code=$1
    shift
    echo "auto-lambda image: FAILED [$code] $*" >&2
    exit 1
}

distribution() {
    # shellcheck source=/dev/null
    (. /etc/os-release && echo "${ID}")
}

on_amazon_linux() { [ "$(distribution)" = amzn ]; }

# The names of a group of packages.tsv for one package manager, one per line.
pkg_names() {
    awk -F '\t' -v group="$1" -v column="$([ "$2" = dnf ] && echo 2 || echo 3)" \
        '$1 == group { n = split($column, names, " "); for (i = 1; i <= n; i++) if (names[i] != "-") print names[i] }' \
        "$payload/packages.tsv"
}

pkg_install() {
    local group=$1 manager names=()
    manager=$(command -v dnf >/dev/null && echo dnf || echo apt)
    mapfile -t names < <(pkg_names "$group" "$manager")
    [ "${#names[@]}" -gt 0 ] || return 0
    "pkg_install_with_$manager" "${names[@]}"
}

pkg_install_with_dnf() {
    local unknown
    rpm --query --quiet --whatprovides "$@" && return 0
    # dnf reports unknown names only among much else.
    unknown=$(dnf --quiet repoquery --queryformat '%{name}\n' "$@" | sort -u | comm -13 - <(printf '%s\n' "$@" | sort -u))
    [ -z "$unknown" ] || fail unknown-package "dnf knows no package ${unknown//$'\n'/, }: correct packages.tsv"
    dnf install --assumeyes --quiet --setopt=install_weak_deps=False "$@"
}

pkg_install_with_apt() {
    local name missing=()
    for name in "$@"; do
        [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    # The machine's package lists are old or missing; one update per run is enough.
    [ -e "$payload/.apt-updated" ] || { apt-get update --quiet --quiet && touch "$payload/.apt-updated"; }
    for name in "${missing[@]}"; do
        apt-cache show "$name" >/dev/null 2>&1 || fail unknown-package "apt knows no package $name: correct packages.tsv"
    done
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}" >/dev/null
}

newest_python() {
    local minor
    for minor in 14 13 12 11; do
        command -v "python3.$minor" && return
    done
    fail no-python "none of Python 3.11 to 3.14 is installed"
}

# Free space below a folder, in MB.
free_mb() { df --output=avail --block-size=1M "$1" | tail -n 1 | tr -d ' '; }
