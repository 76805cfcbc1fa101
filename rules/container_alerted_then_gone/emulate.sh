#!/bin/sh
# Lets another container turn its shell history off, which is an alert, and end: one alert must tell that it is
# gone.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

spare sh -c 'ln -sf /dev/null /tmp/.bash_history && sleep 1' </dev/null
