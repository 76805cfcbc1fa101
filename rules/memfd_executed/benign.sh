#!/bin/sh
# Keeps data in a memory file and runs nothing from it: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
inside python3 -c 'import os; os.write(os.memfd_create("cache"), b"x")' </dev/null
