#!/bin/sh
# Asks for its version and its help; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in crictl
inside "$stand_in" --version </dev/null >/dev/null
inside "$stand_in" </dev/null >/dev/null
