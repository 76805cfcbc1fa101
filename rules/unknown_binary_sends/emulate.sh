#!/bin/sh
# Copies curl under another name and sends 2 MiB with the copy.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside sh -c "cp \$(command -v curl) $there/sync && head -c 2097152 /dev/zero | $there/sync -sS -T - ${url}in" </dev/null >/dev/null
