#!/bin/sh
# Does the same in us-east-1, which is allowed, and lists regions elsewhere; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 run-instances --region us-east-1 --image-id ami-0123456789abcdef0 </dev/null >/dev/null
inside "$stand_in" ec2 describe-regions --region af-south-1 </dev/null >/dev/null
