#!/bin/sh
# Fetches a small script with BusyBox wget.
# Needs: busybox
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
inside busybox wget -q -O "$there/tool" "${url}tool" </dev/null
