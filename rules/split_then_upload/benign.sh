#!/bin/sh
# Splits a file and sends nothing: must stay silent.
# Needs: split curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation, cut into pieces" | put data
inside split -b 16 "$there/data" "$there/piece." </dev/null
inside curl -fsS -m 2 http://127.0.0.1:9/health </dev/null >/dev/null 2>&1 || :
