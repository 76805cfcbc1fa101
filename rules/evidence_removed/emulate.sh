#!/bin/sh
# Makes a shell history in its own folder and deletes it: one alert must name the file.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c 'echo id >"$1/.bash_history" && sleep 1 && rm "$1/.bash_history"' sh "$there" </dev/null
