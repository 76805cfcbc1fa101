#!/bin/sh
# Starts sftp-server inside and fetches one file through it.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

# The peer's client goes under another name: only the server side is the technique here.
: "${TIDEWAITER_SFTP_SERVER:=/usr/lib/openssh/sftp-server}" # its path inside
need "$TIDEWAITER_SFTP_SERVER"
cp "$(command -v sftp)" "$stage/peer"
echo "tidewaiter emulation" | put data
"$stage/peer" -q -b - -D "$TIDEWAITER_INSIDE $TIDEWAITER_SFTP_SERVER" >/dev/null <<BATCH
get $there/data $stage/data
BATCH
