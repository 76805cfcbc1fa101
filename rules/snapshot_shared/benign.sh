#!/bin/sh
# Would make a snapshot, ask who may read it, and end sharing; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 create-snapshot --volume-id vol-0123456789abcdef0 </dev/null >/dev/null
inside "$stand_in" ec2 describe-snapshot-attribute --snapshot-id snap-0123456789abcdef0 \
    --attribute createVolumePermission </dev/null >/dev/null
inside "$stand_in" ec2 modify-snapshot-attribute --snapshot-id snap-0123456789abcdef0 \
    --attribute createVolumePermission --operation-type remove --user-ids 123456789012 </dev/null >/dev/null
stand_in az
inside "$stand_in" disk revoke-access --name data --resource-group shop </dev/null >/dev/null
