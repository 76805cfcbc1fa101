#!/bin/sh
# Asks a stand-in for a package manager to install something.
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in apk
inside "$stand_in" add curl </dev/null >/dev/null
