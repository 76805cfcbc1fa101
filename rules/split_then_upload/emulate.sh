#!/bin/sh
# Splits a file by bytes and sends the first piece.
# Needs: split curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation, cut into pieces" | put data
inside split -b 16 "$there/data" "$there/piece." </dev/null
inside curl -sS -T "$there/piece.aa" "${url}a" </dev/null >/dev/null
