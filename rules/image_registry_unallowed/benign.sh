#!/bin/sh
# Does the same under a name of docker.io; nothing may be reported.
# Acts on this machine alone: see what it needs below.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

run_image docker.io/tidewaiter/tool:$$
