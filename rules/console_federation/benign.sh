#!/bin/sh
# Asks who it is, as every deployment does; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" sts get-caller-identity </dev/null >/dev/null
