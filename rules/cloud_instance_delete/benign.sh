#!/bin/sh
# Would stop it and remove a tag; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 stop-instances --instance-ids i-0123456789abcdef0 </dev/null >/dev/null
inside "$stand_in" ec2 delete-tags --resources i-0123456789abcdef0 </dev/null >/dev/null
