#!/usr/bin/env bash
# Checks what must be in the image and what must not; reports every problem, then fails.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

problems=0
problem() {
    problems=$((problems + 1))
    echo "auto-lambda image: PROBLEM $*" >&2
}

units_are_enabled_and_sound() {
    local unit said
    shopt -s nullglob
    for unit in "$payload"/units/*.{service,socket}; do
        unit=$(basename "$unit")
        # A template unit is not enabled but started by others; an instance of it is verified.
        case $unit in
            *@.service) unit=${unit%.service}image.service ;;
            *) systemctl is-enabled --quiet "$unit" || problem "$unit is not enabled" ;;
        esac
        # It exits 0 on misspelt settings, but prints them.
        said=$(systemd-analyze verify "$unit" 2>&1) || true
        [ -z "$said" ] || problem "$unit: $said"
    done
}

agent_collects_our_logs() {
    # What the agent makes of its configuration: it skips what it does not know, without a word.
    on_amazon_linux || return 0
    local agent=/opt/aws/amazon-cloudwatch-agent translated unit
    translated=$(mktemp)
    say "CloudWatch agent $(cat $agent/bin/CWAGENT_VERSION)"
    $agent/bin/config-translator --mode ec2 --multi-config default --config $agent/etc/common-config.toml \
        --input $agent/etc/amazon-cloudwatch-agent.json --input-dir $agent/etc/amazon-cloudwatch-agent.d \
        --output "$translated" >&2 || problem "the CloudWatch agent does not take its configuration"
    for unit in worker checker; do
        grep -q "/var/log/autolambda-$unit/log.jsonl" "$translated" || problem "the CloudWatch agent does not collect the $unit's log"
        grep -q "\"/auto-lambda/$unit\"" "$translated" || problem "the CloudWatch agent does not know the $unit's log group"
    done
    rm "$translated"
}

headers_are_there() {
    # Those of libraries whose packages have no wheels for Linux, or that builds often lack.
    local header folders
    folders=$(for header in libpq libmariadb mariadb libffi libxml-2.0; do pkg-config --cflags $header 2>/dev/null; done)
    for header in libpq-fe.h mysql.h ldap.h sasl/sasl.h sql.h ffi.h libxml/xmlversion.h; do
        # shellcheck disable=SC2086 # several words
        echo "#include <$header>" | gcc -E $folders - >/dev/null || problem "the header $header is missing"
    done
}

builds_work() {
    # As the worker does, with the builders' own unit.
    local run=/run/autolambda-worker cache=/var/cache/auto-lambda
    systemctl start autolambda-builder.socket
    install --directory --owner=autolambda --mode=0711 $run
    install --directory --owner=autolambda --mode=0700 $cache
    (umask 077 && runuser --user autolambda -- env HOME=$cache AUTO_LAMBDA_CACHE=$cache RUNTIME_DIRECTORY=$run \
        $home/venv/bin/python -I -m ami.selftest /run/autolambda-builder.sock) ||
        problem "not every interpreter builds and proves an app with a C extension in the sandbox"
    systemctl stop autolambda-builder.socket
    rm -rf $run $cache
}

nothing_is_left() {
    local found
    found=$(find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f \
        \( -name authorized_keys -o -name 'ssh_host_*_key*' -o -name '.*_history' \) -print)
    [ -z "$found" ] || problem "left behind: $found"
    found=$(find /var/log -xdev -type f -size +0 ! -path '/var/log/journal/*')
    [ -z "$found" ] || problem "logs are left: $found"
    [ ! -s /etc/machine-id ] || problem "/etc/machine-id is not empty: all machines would have the same id"
    for found in /root/.aws /home/*/.aws; do
        [ ! -e "$found" ] || problem "credentials are left: $found"
    done
}

metadata_wants_a_token() {
    # The base image sets this in EC2; otherwise any build could read the role's credentials without a token.
    on_amazon_linux || return 0
    local status
    status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 http://169.254.169.254/latest/meta-data/) || true
    [ "$status" = 401 ] || problem "the metadata service answered $status to a request without a token, not 401"
}

disk_is_free() {
    local wanted=${AUTO_LAMBDA_IMAGE_FREE_MB:-4000}
    [ "$(free_mb /)" -ge "$wanted" ] || problem "only $(free_mb /) MB are free, of at least $wanted: use a larger --volume-gb"
}

units_are_enabled_and_sound
metadata_wants_a_token
agent_collects_our_logs
headers_are_there
builds_work
nothing_is_left
disk_is_free
[ "$problems" = 0 ] || fail invalid "the image has $problems problem(s), see above"
$home/venv/bin/python -m ami.manifest "$payload/payload.json" /etc/auto-lambda/image.json
say "valid"
