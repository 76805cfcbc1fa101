#!/bin/sh
# Runs a stand-in for kubectl that would delete a pod: one alert must have the command line.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in kubectl
inside "$stand_in" -n shop delete pod/orders-5d9c --now </dev/null >/dev/null
