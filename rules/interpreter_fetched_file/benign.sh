#!/bin/sh
# A line of Python writes a file and connects nowhere: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
inside python3 -c "open('$there/data', 'w').write('x')" </dev/null
