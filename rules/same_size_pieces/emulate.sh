#!/bin/sh
# Sends twelve parts of one size, each over a connection of its own.
# Needs: curl split
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside sh -c "head -c 1572864 /dev/zero | split -b 131072 - $there/piece. && for piece in $there/piece.*; do curl -sS -T \$piece ${url}in/; done" </dev/null >/dev/null
