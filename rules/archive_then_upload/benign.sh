#!/bin/sh
# Packs one file with gzip, and asks loopback: nothing of this detection.
# Needs: gzip curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation" | put data
inside sh -c "gzip -k '$there/data' && gzip -dc '$there/data.gz'" </dev/null >/dev/null
inside curl -fsS -m 2 http://127.0.0.1:9/health </dev/null >/dev/null 2>&1 || :
