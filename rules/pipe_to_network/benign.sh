#!/bin/sh
# Packs into a file, and pipes from a shell into no network: must stay silent.
# Needs: tar gzip curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation" | put data
inside sh -c "tar -C '$there' -cf - data | gzip >'$there/data.gz'" </dev/null
inside sh -c "(echo a; echo b) | wc -c" </dev/null >/dev/null
