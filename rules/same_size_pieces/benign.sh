#!/bin/sh
# Sends twelve parts that all differ in size: nothing of this detection.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
send_tcp 131072 131073 131074 131075 131076 131077 131078 131079 131080 131081 131082 131083
