#!/bin/sh
# Packs a folder with tar and sends the archive with curl.
# Needs: tar curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_http
echo "tidewaiter emulation" | put data
inside tar -C "$there" -czf "$there/d.tgz" data </dev/null
inside curl -sS -T "$there/d.tgz" "${url}d.tgz" </dev/null >/dev/null
