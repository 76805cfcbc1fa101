#!/bin/sh
# Keeps one CPU busy for twelve seconds, as a report or a probe does; nothing may be reported.
# Environment: see ../emulation.sh; TIDEWAITER_PATIENCE, whatever its value: there is time for it.
. "$(dirname "$0")/../emulation.sh"

if [ -n "${TIDEWAITER_PATIENCE:-}" ]; then sleep 160; fi
# shellcheck disable=SC2016 # for the inner shell
inside sh -c 'end=$(($(date +%s) + 12))
while [ "$(date +%s)" -lt "$end" ]; do
    i=0
    while [ "$i" -lt 100000 ]; do i=$((i + 1)); done
done' </dev/null
