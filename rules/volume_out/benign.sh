#!/bin/sh
# Sends 20 MiB: must stay below the bound.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
send_tcp 20971520
