#!/bin/sh
# A copy of curl under another name fetches a file.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
serve_http
inside sh -c "cp \"\$(command -v curl)\" $there/update && chmod 700 $there/update && $there/update -sSLo $there/tool ${url}tool" </dev/null
