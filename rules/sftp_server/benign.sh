#!/bin/sh
# Reads the server's file without starting it: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

: "${TIDEWAITER_SFTP_SERVER:=/usr/lib/openssh/sftp-server}" # its path inside
need "$TIDEWAITER_SFTP_SERVER"
inside cat "$TIDEWAITER_SFTP_SERVER" </dev/null >/dev/null
