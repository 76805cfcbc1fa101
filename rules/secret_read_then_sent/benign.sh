#!/bin/sh
# Reads a key; then a service's own program sends something else, and curl asks loopback: nothing of this detection.
# Needs: curl python3
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

put_secret
serve_tcp
inside sh -c "for try in 1 2 3 4 5 6; do cat $secret; sleep 0.5; done" </dev/null >/dev/null
send_tcp 4096
inside curl -fsS -m 2 http://127.0.0.1:9/health </dev/null >/dev/null 2>&1 || :
