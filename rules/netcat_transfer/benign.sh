#!/bin/sh
# Knocks at a port of loopback, where nobody need answer: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

: "${TIDEWAITER_NETCAT:=nc}" # as in emulate.sh
need "${TIDEWAITER_NETCAT%% *}"
inside sh -c "$TIDEWAITER_NETCAT -z -w 1 127.0.0.1 9" </dev/null >/dev/null 2>&1 || :
