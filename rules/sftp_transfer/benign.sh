#!/bin/sh
# Asks sftp for its usage: must stay silent.
# Needs: sftp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sftp </dev/null 2>/dev/null || :
