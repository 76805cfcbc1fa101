#!/bin/sh
# Fetches a harmless program over HTTP, makes it executable and runs it.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need curl
inside cat /bin/true </dev/null >"$stage/tool"
serve sh -c 'while read -r line && [ "${#line}" -gt 1 ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\n"; cat "$0"' "$stage/tool"
inside sh -c "curl -sSo $there/tool http://$remote:$port/tool && chmod 700 $there/tool && $there/tool" </dev/null || :
