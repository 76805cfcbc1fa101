#!/bin/sh
# Fetches a file with aria2c.
# Needs: aria2c
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need aria2c
serve_http
inside aria2c -q -d "$there" -o tool "${url}tool" </dev/null
