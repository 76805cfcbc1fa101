#!/bin/sh
# Writes to a temporary place without fetching: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "echo x >$there/.tool" </dev/null
