#!/bin/sh
# Makes the key without having asked for credentials; nothing may be reported.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" iam create-access-key --user-name backup </dev/null >/dev/null
inside "$stand_in" iam list-users </dev/null >/dev/null
