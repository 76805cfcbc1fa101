#!/bin/sh
# Runs a stand-in for crictl that would list the node's containers: one alert must have the command line.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in crictl
inside "$stand_in" ps -a </dev/null >/dev/null
