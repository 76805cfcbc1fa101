#!/bin/sh
# Serves the same to loopback only: must stay silent.
# Needs: python3 timeout
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "timeout 2 python3 -m http.server --bind 127.0.0.1 --directory '$there' 0 || :" </dev/null >/dev/null 2>&1
