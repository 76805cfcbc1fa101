#!/bin/sh
# A copy of Python under another name fetches a file and makes it executable.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
serve_http
inside sh -c "cp \"\$(readlink -f \"\$(command -v python3)\")\" $there/agent && chmod 700 $there/agent"  </dev/null
inside "$there/agent" -c "
import os, urllib.request
with open('$there/next', 'wb') as file:
    file.write(urllib.request.urlopen('${url}bytes/4096').read())
os.chmod('$there/next', 0o755)
" </dev/null
