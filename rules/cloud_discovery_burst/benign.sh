#!/bin/sh
# Repeats two listings as often; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
for operation in list-users list-roles list-users list-roles list-users list-roles list-users list-roles; do
    inside "$stand_in" iam "$operation" </dev/null >/dev/null
done
