#!/bin/sh
# A script for the image's own Python connects three times: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
serve_tcp
put poll.py <<PROGRAM
import socket
for _ in range(3):
    socket.create_connection(('$remote', $port)).close()
PROGRAM
inside python3 "$there/poll.py" </dev/null
