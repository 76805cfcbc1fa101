#!/bin/sh
# The image's own Python does the same: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
serve_http
inside sh -c "true && chmod 600 $there" </dev/null
inside sh -c "cat >$there/fetch.py && python3 $there/fetch.py" <<PROGRAM
import os, urllib.request
with open('$there/data', 'wb') as file:
    file.write(urllib.request.urlopen('${url}bytes/4096').read())
PROGRAM
