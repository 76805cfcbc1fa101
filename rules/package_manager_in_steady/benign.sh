#!/bin/sh
# Asks it for its version: must stay silent.
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in apk
inside "$stand_in" --version </dev/null >/dev/null
