#!/bin/sh
# Logs in at an SSH stub with a reverse forward.
# Needs: ssh
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
# shellcheck disable=SC2086 # several options
inside ssh $ssh_options -p "$port" -R 0:127.0.0.1:9 "$account" true </dev/null 2>/dev/null
