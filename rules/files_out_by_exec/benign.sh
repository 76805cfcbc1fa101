#!/bin/sh
# Starts it with a listing and for its version: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program kubectl
inside "$stand_in" exec web-0 -- ls /etc </dev/null >/dev/null
inside "$stand_in" version --client </dev/null >/dev/null
