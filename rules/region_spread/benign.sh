#!/bin/sh
# Makes as many calls in two regions; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
for region in us-east-1 us-west-2 us-east-1 us-west-2 us-east-1 us-west-2; do
    inside "$stand_in" ec2 describe-instances --region "$region" </dev/null >/dev/null
done
