#!/bin/sh
# Sends a file through a raw connection.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

: "${TIDEWAITER_NETCAT:=nc}" # the tool inside, with its options; for example `busybox nc`
need "${TIDEWAITER_NETCAT%% *}"
serve cat
echo "tidewaiter emulation" | put data
# Unquoted on purpose: a command with options. The second word of input is the file, fed by a shell inside.
inside sh -c "$TIDEWAITER_NETCAT -w 1 $remote $port <'$there/data' >/dev/null" </dev/null
