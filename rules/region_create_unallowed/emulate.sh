#!/bin/sh
# Runs a stand-in for aws that would start instances in af-south-1, which is open to nobody by default: one
# alert must name the region.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 run-instances --region af-south-1 --image-id ami-0123456789abcdef0 --count 20 </dev/null >/dev/null
