#!/bin/sh
# Fetches a file to a temporary place.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
serve_http
inside curl -sSo "$there/.tool" "${url}tool" </dev/null
