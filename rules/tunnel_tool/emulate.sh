#!/bin/sh
# Starts harmless programs with the name, and with the arguments, of a tunnelling tool.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program chisel
inside "$stand_in" client "http://$remote:8080" R:socks </dev/null >/dev/null
stand_in_program updater
inside "$stand_in" client "http://$remote:8080" R:1080:socks </dev/null >/dev/null
