#!/bin/sh
# Runs a program that no container of the image ever ran.
# Environment: see ../emulation.sh. TIDEWAITER_BASELINE says that the image was learned (`tidewaiter baseline learn`).
. "$(dirname "$0")/../emulation.sh"

if [ -z "${TIDEWAITER_BASELINE:-}" ]; then lack "a learned baseline of the container's image"; fi
inside cp /bin/true "$there/tide-tool" </dev/null
inside "$there/tide-tool" </dev/null
