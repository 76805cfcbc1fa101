#!/bin/sh
# Gives its own network the address of the metadata service, where nobody listens, connects to it, and runs a
# stand-in for aws that would make an access key: one alert must have both steps.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

if [ -z "$TIDEWAITER_BESIDE" ]; then lack "a network of its own to put the address into"; fi
# shellcheck disable=SC2086 # a command with arguments
$TIDEWAITER_BESIDE ip address replace 169.254.169.254/32 dev lo
stand_in aws
inside curl -s -m 2 -o /dev/null http://169.254.169.254/latest/meta-data/iam/security-credentials/ </dev/null || :
inside "$stand_in" iam create-access-key --user-name backup </dev/null >/dev/null
