#!/bin/sh
# Starts a harmless program called aws with an upload to another endpoint and a profile.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation" | put data
stand_in aws
inside "$stand_in" --endpoint-url "http://$remote:9000" --profile other s3 cp "$there/data" s3://tidewaiter-emulation/in/ </dev/null >/dev/null
