#!/bin/sh
# Fetches a small script with nothing but bash.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
authority=${url#*://}
authority=${authority%%/*}
address=${authority%:*}
port=80
if [ "$address" != "$authority" ]; then port=${authority##*:}; fi
inside bash -c "exec 3<>/dev/tcp/$address/$port; printf 'GET /tool HTTP/1.0\r\n\r\n' >&3; cat <&3 >'$there/tool'" </dev/null
