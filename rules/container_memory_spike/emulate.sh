#!/bin/sh
# After two and a half minutes of quiet holds 400 MiB for 45 s: one alert must tell how much it was before.
# Needs: head tail
# Environment: see ../emulation.sh; TIDEWAITER_PATIENCE, whatever its value: there is time for it.
. "$(dirname "$0")/../emulation.sh"

# What is normal takes two minutes to learn. `tidewaiter validate` does not wait that long: by hand, with
# TIDEWAITER_PATIENCE set, in a container that has nothing else to do.
if [ -z "${TIDEWAITER_PATIENCE:-}" ]; then lack "two minutes of quiet before"; fi
# Thirteen readings, one every ten seconds; some more for a slow start.
sleep 160
# `tail` keeps the end of a pipe in memory until it knows that it is the end.
inside sh -c '{ head -c 419430400 /dev/zero; sleep 45; } | tail -c 419430400 >/dev/null' </dev/null
