#!/bin/sh
# Sends 1.1 GiB of zeros to an HTTP stub.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside sh -c "head -c 1181116006 /dev/zero | curl -sS -T - ${url}in" </dev/null >/dev/null
