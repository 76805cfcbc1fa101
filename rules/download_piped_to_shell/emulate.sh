#!/bin/sh
# Pipes a harmless script from an HTTP stub into a shell.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
serve_http
inside sh -c "curl -sS ${url}tool | sh" </dev/null >/dev/null
