#!/bin/sh
# Starts it with a download and the same options: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" --endpoint-url "http://$remote:9000" --profile other s3 cp s3://tidewaiter-emulation/tool "$there/tool" </dev/null >/dev/null
