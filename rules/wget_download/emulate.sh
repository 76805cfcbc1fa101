#!/bin/sh
# Fetches a small script over HTTP with wget.
# Needs: wget
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside wget -qO "$there/tool" "${url}tool" </dev/null
