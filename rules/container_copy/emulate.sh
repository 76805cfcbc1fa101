#!/bin/sh
# A stand-in for docker is told to copy a file into a container.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in docker
inside "$stand_in" cp "$there/tool" web-1:/tmp/tool </dev/null >/dev/null
