#!/bin/sh
# Starts it for its help and to knock at a port of loopback: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program nc
inside "$stand_in" -h </dev/null >/dev/null
inside "$stand_in" -zv 127.0.0.1 4444 -w 1 </dev/null >/dev/null
