#!/bin/sh
# Starts a harmless program called nc that is told to wait and to start a shell.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program nc
inside "$stand_in" -lvp 4444 -e /bin/sh </dev/null >/dev/null
