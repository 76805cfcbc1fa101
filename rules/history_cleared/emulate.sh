#!/bin/sh
# Links a shell history in its own folder to /dev/null: one alert must have the command line.
# Needs: ln truncate
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c 'ln -sf /dev/null "$1/.bash_history"' sh "$there" </dev/null
