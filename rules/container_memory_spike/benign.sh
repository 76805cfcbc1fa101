#!/bin/sh
# Holds 400 MiB for ten seconds, as a large request does; nothing may be reported.
# Needs: head tail
# Environment: see ../emulation.sh; TIDEWAITER_PATIENCE, whatever its value: there is time for it.
. "$(dirname "$0")/../emulation.sh"

if [ -n "${TIDEWAITER_PATIENCE:-}" ]; then sleep 160; fi
inside sh -c '{ head -c 419430400 /dev/zero; sleep 10; } | tail -c 419430400 >/dev/null' </dev/null
