#!/bin/sh
# Copies one file in from an SSH server.
# Needs: scp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
# shellcheck disable=SC2086 # several options
inside scp $ssh_options -P "$port" "$account:$stage/module/tool" "$there/" </dev/null
