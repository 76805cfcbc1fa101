#!/bin/sh
# Joins two streams within the machine: must stay silent.
# Needs: socat
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need socat
inside sh -c "echo x | socat -u - CREATE:$there/x" </dev/null
