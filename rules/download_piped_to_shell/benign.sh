#!/bin/sh
# Pipes a download into cat, and a local text into a shell: must stay silent.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
serve_http
inside sh -c "curl -sS ${url}tool | cat; echo true | sh" </dev/null >/dev/null
