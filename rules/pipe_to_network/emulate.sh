#!/bin/sh
# Packs a folder with tar into curl, to an HTTP stub.
# Needs: tar curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put data
inside sh -c "tar -C '$there' -cf - data | curl -sS -T - ${url}in" </dev/null >/dev/null
