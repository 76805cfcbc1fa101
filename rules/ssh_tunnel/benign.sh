#!/bin/sh
# Runs a command with an option -L on the far side: no tunnel, must stay silent.
# Needs: ssh
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
# shellcheck disable=SC2086 # several options
inside ssh $ssh_options -p "$port" "$account" ls -L / </dev/null >/dev/null
