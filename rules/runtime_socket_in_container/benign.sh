#!/bin/sh
# Does the same with a socket of an application; nothing may be reported.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

ask_socket app.sock
