#!/bin/sh
# Fetches a file and reads it; runs what was there before: must stay silent.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
serve_http
inside sh -c "curl -sSo $there/page ${url}page && cat $there/page && true" </dev/null >/dev/null
