#!/bin/sh
# Runs a stand-in for aws with eight different listings: one alert must have them as steps.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
for operation in list-users list-roles list-policies list-groups list-access-keys list-account-aliases list-instance-profiles list-mfa-devices; do
    inside "$stand_in" iam "$operation" </dev/null >/dev/null
done
