#!/bin/sh
# Copies between local paths with scp: must stay silent.
# Needs: scp
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo local | put file
inside scp -r "$there/file" "$there/copy" </dev/null
