#!/usr/bin/env bash
# Interpreters, compilers and the headers of common native builds, from the distribution.
# shellcheck source=ami/provision/lib.sh
. "$(dirname "$0")/lib.sh"

required_mb=${AUTO_LAMBDA_IMAGE_REQUIRED_MB:-3000}
[ "$(free_mb /)" -ge "$required_mb" ] ||
    fail disk-full "$(free_mb /) MB are free, the image needs $required_mb: build with a larger --volume-gb"

# A single box sets PACKAGE_GROUPS, without the fleet's agents.
for group in ${PACKAGE_GROUPS:-interpreters compilers libraries sandbox archives agents}; do
    pkg_install "$group"
done
