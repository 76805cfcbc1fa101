#!/bin/sh
# Calculates, and asks this very machine for its health: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
inside python3 -c 'print(6 * 7)' </dev/null >/dev/null
inside python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/health')" </dev/null >/dev/null 2>&1 || :
