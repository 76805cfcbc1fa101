#!/bin/sh
# Would list and make snapshots; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 describe-snapshots --owner-ids self </dev/null >/dev/null
inside "$stand_in" ec2 create-snapshot --volume-id vol-0123456789abcdef0 </dev/null >/dev/null
