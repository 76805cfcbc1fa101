#!/bin/sh
# Sends a file with a BusyBox applet.
# Needs: busybox
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put data
# Not every BusyBox is built with --post-file. Without it the upload fails after the attempt, and
# the stub does not speak FTP: the attempt is what is to be seen.
if inside busybox wget --help </dev/null 2>&1 | grep -q post-file; then
    inside busybox wget -q -O /dev/null --post-file "$there/data" "${url}data" </dev/null
else
    authority=${url#*://}
    authority=${authority%%/*}
    address=${authority%:*}
    port=80
    if [ "$address" != "$authority" ]; then port=${authority##*:}; fi
    inside busybox ftpput -P "$port" "$address" data "$there/data" </dev/null 2>/dev/null || :
fi
