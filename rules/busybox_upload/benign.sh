#!/bin/sh
# Copies a file with local applets: must stay silent.
# Needs: busybox
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo local | put file
inside busybox cp "$there/file" "$there/copy" </dev/null
inside busybox cat "$there/copy" </dev/null >/dev/null
