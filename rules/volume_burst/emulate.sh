#!/bin/sh
# Sends 120 MiB of zeros to a TCP stub with a one-liner of Python.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
inside python3 -c '
import socket, sys
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for part in range(int(sys.argv[3])):
    peer.sendall(bytes(1 << 20))
' "$remote" "$port" 120 </dev/null
