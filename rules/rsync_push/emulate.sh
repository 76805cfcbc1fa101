#!/bin/sh
# Pushes one file to an rsync daemon.
# Needs: rsync
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_rsync
echo "tidewaiter emulation" | put data
inside rsync -a "$there/data" "$url" </dev/null
