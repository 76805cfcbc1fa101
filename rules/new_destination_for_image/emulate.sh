#!/bin/sh
# Connects to a port to which no container of the image ever connected.
# Needs: bash
# Environment: see ../emulation.sh. TIDEWAITER_BASELINE says that the image was learned (`tidewaiter baseline learn`).
. "$(dirname "$0")/../emulation.sh"

if [ -z "${TIDEWAITER_BASELINE:-}" ]; then lack "a learned baseline of the container's image"; fi
serve_tcp
inside bash -c "exec 3<>/dev/tcp/$remote/$port" </dev/null
