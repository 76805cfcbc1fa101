#!/bin/sh
# Fetches one file by its name from an SSH server.
# Needs: sftp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
# shellcheck disable=SC2086 # several options
inside sftp -q $ssh_options -P "$port" "$account:$stage/module/tool" "$there/" </dev/null
