#!/bin/sh
# Asks aria2c for its version: must stay silent.
# Needs: aria2c
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need aria2c
inside aria2c --version </dev/null >/dev/null
