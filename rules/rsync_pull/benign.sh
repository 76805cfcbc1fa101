#!/bin/sh
# Copies between two local directories with rsync: must stay silent.
# Needs: rsync
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside mkdir "$there/from" "$there/to" </dev/null
echo local | put from/file
inside rsync -a "$there/from/" "$there/to/" </dev/null
