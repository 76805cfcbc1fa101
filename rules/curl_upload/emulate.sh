#!/bin/sh
# Sends a file over HTTP with curl.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put data
inside curl -sST "$there/data" "${url}data" </dev/null >/dev/null
