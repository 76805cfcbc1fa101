#!/bin/sh
# Deletes a copy of a program that nobody runs: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "cp /bin/true $there/tool && rm $there/tool && true" </dev/null
