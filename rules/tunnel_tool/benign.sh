#!/bin/sh
# Starts programs that look alike in name or arguments: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program chisels
inside "$stand_in" --help </dev/null >/dev/null
inside "$stand_in" client --list </dev/null >/dev/null
inside "$stand_in" -L http://127.0.0.1/ </dev/null >/dev/null
