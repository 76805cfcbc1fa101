#!/bin/sh
# Does so with the log of a web server and empties that of an application; nothing may be reported.
# Needs: ln truncate
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c 'ln -sf /dev/null "$1/access.log"; : >"$1/app.log"; truncate -s 0 "$1/app.log"' sh "$there" </dev/null
