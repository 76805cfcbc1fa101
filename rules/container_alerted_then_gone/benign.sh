#!/bin/sh
# Lets another container end in which nothing was found; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

spare sh -c 'ls / >/dev/null && sleep 1' </dev/null
