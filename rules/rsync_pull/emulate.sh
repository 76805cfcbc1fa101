#!/bin/sh
# Pulls one file from an rsync daemon.
# Needs: rsync
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_rsync
inside rsync -a "${url}tool" "$there/" </dev/null
