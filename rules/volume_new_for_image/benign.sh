#!/bin/sh
# Sends 64 KiB, less than any image is judged by: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
send_tcp 65536
