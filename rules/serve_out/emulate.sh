#!/bin/sh
# Serves a folder with Python's http.server for two seconds.
# Needs: python3 timeout
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "timeout 2 python3 -m http.server --directory '$there' 0 || :" </dev/null >/dev/null 2>&1
