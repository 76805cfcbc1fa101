#!/bin/sh
# Sends as much with a program of the image: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
send_tcp 2097152
