#!/bin/sh
# Runs what every container runs: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside true </dev/null
inside cat /dev/null </dev/null
