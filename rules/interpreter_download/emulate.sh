#!/bin/sh
# Fetches a page with a line of Python.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
serve_http
inside python3 -c "import urllib.request; urllib.request.urlopen('${url}tool').read()" </dev/null
