#!/bin/sh
# Asks a DNS stub for the name of a file-drop site.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
ask_dns 1 transfer.sh
