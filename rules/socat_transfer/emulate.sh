#!/bin/sh
# Fetches a line over TCP into a file.
# Needs: socat
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need socat
serve echo tool
inside socat -u "TCP:$remote:$port" "CREATE:$there/tool" </dev/null
