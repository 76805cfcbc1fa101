#!/bin/sh
# Copies a harmless program into memory and runs it from there.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need python3
inside python3 -c '
import os
with open("/bin/true", "rb") as file:
    program = file.read()
memory = os.memfd_create("payload", 0)
os.write(memory, program)
os.execv("/proc/self/fd/%d" % memory, ["true"])
' </dev/null || :
