#!/bin/sh
# Sends 64 MiB at once to a destination to which the image sent little while it was learned.
# Needs: bash
# Environment: see ../emulation.sh. TIDEWAITER_BASELINE says that the image was learned (`tidewaiter baseline learn`), and
# TIDEWAITER_KNOWN names a destination of the image (address/port) that takes whatever it is sent.
. "$(dirname "$0")/../emulation.sh"

if [ -z "${TIDEWAITER_BASELINE:-}" ]; then lack "a learned baseline of the container's image"; fi
if [ -z "${TIDEWAITER_KNOWN:-}" ]; then lack "a destination that the image learned (TIDEWAITER_KNOWN=address/port)"; fi
inside bash -c "head -c 67108864 /dev/zero >/dev/tcp/$TIDEWAITER_KNOWN" </dev/null
