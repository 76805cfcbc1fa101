#!/bin/sh
# Starts it with a download and a listing: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" s3 cp s3://tidewaiter-emulation/tool "$there/tool" </dev/null >/dev/null
inside "$stand_in" s3 ls s3://tidewaiter-emulation/ </dev/null >/dev/null
