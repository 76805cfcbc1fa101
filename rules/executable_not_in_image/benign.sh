#!/bin/sh
# Runs a program of the image: must stay silent.
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside true </dev/null
