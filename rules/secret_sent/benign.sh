#!/bin/sh
# Reads a key with a program that sends nothing, and sends an ordinary file: nothing of this detection.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

put_secret
serve_tcp
inside sh -c "for try in 1 2 3 4 5 6; do cat $secret; sleep 0.5; done" </dev/null >/dev/null
send_tcp 4096
