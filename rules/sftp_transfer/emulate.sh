#!/bin/sh
# Gets one file and puts it back under another name, by a batch of commands.
# Needs: sftp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_ssh
# shellcheck disable=SC2086 # several options
inside sftp -q -b - $ssh_options -P "$port" "$account" >/dev/null <<BATCH
get $stage/module/tool $there/tool
put $there/tool $stage/module/returned
BATCH
