#!/bin/sh
# Starts a harmless program called pg_dump, then sends a file with curl.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put shop.sql
stand_in_program pg_dump
inside "$stand_in" -h db -U shop -f "$there/shop.sql" shop </dev/null >/dev/null
inside curl -sS -T "$there/shop.sql" "${url}shop.sql" </dev/null >/dev/null
