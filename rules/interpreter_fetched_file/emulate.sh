#!/bin/sh
# A line of Python fetches over a bare socket and writes what came to a file.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
serve echo tool
inside python3 -c "s = __import__('soc' + 'ket').create_connection(('$remote', $port)); open('$there/data', 'wb').write(s.recv(99))" </dev/null
