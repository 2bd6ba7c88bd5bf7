#!/usr/bin/env bash
# Installs Auto-Lambda on one machine: worker and checker as systemd services. See docs/how-to/single-box.md.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/install.sh [--wheel FILE] [--no-packages]
       scripts/install.sh --uninstall [--purge]

Installs worker and checker on this machine (Debian 12, Amazon Linux 2023, or another Linux with systemd), as root.
Running it again changes nothing; running it from newer sources upgrades.

  --wheel FILE    install this wheel instead of the clone that contains this script
  --no-packages   install no packages of the distribution: bubblewrap, Python 3.11 or newer with venv, and what native
                  builds need are installed already
  --uninstall     remove everything except /etc/auto-lambda and the distribution's packages
  --purge         with --uninstall: remove /etc/auto-lambda, too
  --help          show this help

exit codes: 0 done, 1 failed, 2 nothing was changed
END
}

home=/usr/local/lib/auto-lambda
settings=/etc/auto-lambda
services=(autolambda-worker autolambda-checker)
socket=autolambda-builder.socket
unit_files=/usr/lib/systemd/system

say() { echo "auto-lambda: $*"; }

refuse() {
    echo "auto-lambda: $*" >&2
    exit 2
}

main() {
    local wheel="" packages=yes uninstall=no purge=no
    while [ $# -gt 0 ]; do
        case $1 in
            --wheel)
                [ $# -ge 2 ] || refuse "--wheel needs a file"
                wheel=$2
                shift
                ;;
            --no-packages) packages=no ;;
            --uninstall) uninstall=yes ;;
            --purge) purge=yes ;;
            --help | -h)
                usage
                exit
                ;;
            *) refuse "there is no option $1; --help lists them" ;;
        esac
        shift
    done
    [ "$purge" = no ] || [ "$uninstall" = yes ] || refuse "--purge is only for --uninstall"
    [ "$(id -u)" = 0 ] || refuse "this must run as root: sudo $0"
    [ -d /run/systemd/system ] || refuse "this machine was not booted by systemd"
    if [ "$uninstall" = yes ]; then
        uninstall "$purge"
    else
        install "$wheel" "$packages"
    fi
}

install() {
    local wheel=$1 packages=$2 digest
    scratch=$(mktemp --directory --tmpdir=/var/tmp auto-lambda-install.XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    payload=$scratch/payload
    mkdir "$payload" "$payload/wheel"
    if [ -n "$wheel" ]; then take_wheel "$wheel"; else take_clone; fi

    if [ "$packages" = yes ]; then
        PACKAGE_GROUPS="interpreters compilers libraries sandbox archives" step 10-packages
    fi
    digest=$(cd "$payload" && find . -type f ! -path ./.apt-updated -print0 | sort --zero-terminated |
        xargs --null sha256sum | sha256sum)
    changed=no
    if [ "$(cat $home/.installed 2>/dev/null)" != "$digest" ]; then
        changed=yes
        [ -n "$wheel" ] || make_wheel
        step 20-rootfs
        step 30-application
        echo "$digest" >$home/.installed
    fi
    write_settings
    for service in "${services[@]}"; do
        bring_up "$service"
    done
}

# Runs one provisioning step of the machine image.
step() {
    bash "$payload/provision/$1.sh" || {
        echo "auto-lambda: $1 failed; its output is above" >&2
        exit 1
    }
}

take_clone() {
    local clone name
    clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    [ -f "$clone/ami/packages.tsv" ] || refuse "this script is not in a clone of the repository: use --wheel"
    mkdir "$payload/units" "$payload/sources"
    for name in ami auto_lambda auto_lambda_cli builder checker entrypoint worker examples infra systemd scripts setup.cfg setup.py \
        pyproject.toml README.md LICENSE; do
        cp --recursive "$clone/$name" "$payload/sources"
    done
    find "$payload/sources" -name __pycache__ -prune -exec rm -rf {} +
    take_parts "$payload/sources/ami" "$payload/sources/systemd" "$payload/sources/auto_lambda/locks"
}

take_wheel() {
    local inside=$scratch/inside
    [ -f "$1" ] || refuse "there is no file $1"
    command -v python3 >/dev/null || refuse "unpacking a wheel needs Python: install python3 first"
    python3 -m zipfile -e "$1" "$inside" 2>/dev/null || refuse "$1 is not a wheel"
    [ -f "$inside/ami/packages.tsv" ] || refuse "$1 is not a wheel of Auto-Lambda"
    mkdir "$payload/units"
    cp "$1" "$payload/wheel"
    take_parts "$inside/ami" "$(echo "$inside"/auto_lambda-*.data/data/share/auto-lambda/systemd)" "$inside/auto_lambda/locks"
}

# The files that the steps expect beside them.
take_parts() {
    local ami=$1 systemd=$2 locks=$3 part
    cp --recursive "$ami/provision" "$ami/packages.tsv" "$locks/installation.txt" "$payload"
    find "$systemd" -maxdepth 1 -type f ! -name '*.md' -exec cp {} "$payload/units" \;
    for part in etc/auto-lambda usr/lib/sysusers.d; do
        mkdir -p "$payload/rootfs/$part"
        cp "$ami/rootfs/$part"/* "$payload/rootfs/$part"
    done
}

make_wheel() {
    local python
    # shellcheck disable=SC2016  # the inner shell's
    python=$(bash -c '. "$0" && newest_python' "$payload/provision/lib.sh")
    say "building a wheel of this clone"
    "$python" -m venv "$scratch/venv"
    local pip=("$scratch/venv/bin/python" -m pip --quiet --disable-pip-version-check --no-cache-dir)
    "${pip[@]}" install --require-hashes --requirement "$payload/sources/auto_lambda/locks/build.txt"
    "${pip[@]}" wheel --no-deps --no-build-isolation --wheel-dir "$payload/wheel" "$payload/sources"
}

# Writes templates of missing files; existing settings are never changed.
write_settings() {
    local service
    for service in "${services[@]}"; do
        [ -e "$settings/${service#autolambda-}.env" ] || "template_of_${service#autolambda-}" |
            command install --mode=0640 /dev/stdin "$settings/${service#autolambda-}.env"
    done
}

template_of_worker() {
    cat <<'END'
# Settings of autolambda-worker.service. Values are outputs of the pipeline's stack; all settings: docs/reference/settings.md
#AWS_REGION=
#AUTO_LAMBDA_UPLOADS_BUCKET=
#AUTO_LAMBDA_ARTIFACTS_BUCKET=
#AUTO_LAMBDA_QUEUE_URL=
#AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL=
#AUTO_LAMBDA_TABLE=
#AUTO_LAMBDA_BOUNDARY_ARN=
END
}

template_of_checker() {
    cat <<'END'
# Settings of autolambda-checker.service. Values are outputs of the pipeline's stack; all settings: docs/reference/settings.md
#AWS_REGION=
#AUTO_LAMBDA_QUEUE_URL=
#AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL=
#AUTO_LAMBDA_TABLE=
#AUTO_LAMBDA_METRICS_NAMESPACE=AutoLambda
END
}

bring_up() {
    local name=${1#autolambda-} missing units=("$1")
    [ "$name" != worker ] || units=("$socket" "$1") # by which its builders are started
    if ! missing=$(is_set "$name"); then
        systemctl disable --quiet "${units[@]}"
        say "$1 is not started: $settings/$name.env is not complete; complete it and run this again"
        while read -r line; do say "  $line"; done <<<"$missing"
        return
    fi
    if systemctl is-active --quiet "$1" && [ "$changed" = no ]; then
        say "$1 is running, nothing has changed"
        return
    fi
    systemctl enable --quiet "${units[@]}"
    systemctl restart "${units[@]}" || {
        echo "auto-lambda: $1 did not start; the end of its log:" >&2
        journalctl --no-pager --quiet --unit "$1" --lines 10 --output cat >&2
        exit 1
    }
    say "$1 is running"
}

# Reads the settings as the service does, and prints what is missing.
is_set() {
    # shellcheck disable=SC2016  # Python's, not the shell's
    systemd-run --quiet --pipe --wait --collect --property=EnvironmentFile="$settings/$1.env" \
        $home/venv/bin/python -I -c '
import sys
from auto_lambda import settings
try:
    settings.load({"worker": settings.WorkerSettings, "checker": settings.CheckerSettings}[sys.argv[1]])
except settings.SettingsError as error:
    sys.exit(print(error) or 1)' "$1"
}

uninstall() {
    local purge=$1 service
    for service in "${services[@]}"; do
        [ -e "$unit_files/$service.service" ] || continue
        systemctl disable --quiet --now "$service"
        systemctl clean --what=all "$service" 2>/dev/null || true # it may have nothing
    done
    [ ! -e $unit_files/$socket ] || systemctl disable --quiet --now $socket
    [ ! -e $unit_files/autolambda.slice ] || systemctl stop autolambda.slice # otherwise it stays without its file
    rm -f $unit_files/autolambda-{worker,checker,unhealthy@,builder@}.service $unit_files/$socket
    rm -f $unit_files/autolambda{,-builders}.slice /usr/lib/sysusers.d/autolambda.conf
    systemctl daemon-reload
    systemctl reset-failed 'autolambda-*' 2>/dev/null || true
    ! id autolambda >/dev/null 2>&1 || userdel autolambda
    rm -rf $home /usr/local/bin/auto-lambda
    if [ "$purge" = yes ]; then
        rm -rf $settings
        say "uninstalled"
    else
        say "uninstalled; the settings in $settings are kept (--purge removes them)"
    fi
}

main "$@"
