#!/bin/sh
# Starts a harmless program called aws with the arguments of an upload.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation" | put data
stand_in aws
inside "$stand_in" s3 cp "$there/data" s3://tidewaiter-emulation/in/ </dev/null >/dev/null
