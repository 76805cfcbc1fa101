#!/bin/sh
# Deletes a log of an application in the same way; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c 'echo x >"$1/app.log" && sleep 1 && rm "$1/app.log"' sh "$there" </dev/null
