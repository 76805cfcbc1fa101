#!/bin/sh
# Posts a file over HTTP with wget.
# Needs: wget
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put data
inside wget -qO /dev/null --post-file="$there/data" "${url}data" </dev/null
