#!/bin/sh
# After two and a half minutes of quiet keeps one CPU busy for 45 s: one alert must tell how much it was before.
# Environment: see ../emulation.sh; TIDEWAITER_PATIENCE, whatever its value: there is time for it.
. "$(dirname "$0")/../emulation.sh"

# What is normal takes two minutes to learn. `tidewaiter validate` does not wait that long: by hand, with
# TIDEWAITER_PATIENCE set, in a container that has nothing else to do.
if [ -z "${TIDEWAITER_PATIENCE:-}" ]; then lack "two minutes of quiet before"; fi
# Thirteen readings, one every ten seconds; some more for a slow start.
sleep 160
# shellcheck disable=SC2016 # for the inner shell
inside sh -c 'end=$(($(date +%s) + 45))
while [ "$(date +%s)" -lt "$end" ]; do
    i=0
    while [ "$i" -lt 100000 ]; do i=$((i + 1)); done
done' </dev/null
