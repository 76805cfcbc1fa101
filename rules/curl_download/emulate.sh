#!/bin/sh
# Fetches a small script over HTTP with curl.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside curl -sSo "$there/tool" "${url}tool" </dev/null
