#!/bin/sh
# Runs a stand-in for aws that would delete a snapshot: one alert must have the command line.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 delete-snapshot --snapshot-id snap-0123456789abcdef0 </dev/null >/dev/null
