#!/bin/sh
# Copies one file out to an SSH server.
# Needs: scp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
echo "tidewaiter emulation" | put data
# shellcheck disable=SC2086 # several options
inside scp $ssh_options -P "$port" "$there/data" "$account:$stage/module/" </dev/null
