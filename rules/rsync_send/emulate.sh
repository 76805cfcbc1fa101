#!/bin/sh
# Pulls a file through a remote shell, so that rsync's sending side starts inside.
# Needs: rsync
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

# The peer's own rsync goes under another name: only the sending side is the technique here.
cp "$(command -v rsync)" "$stage/peer"
printf '#!/bin/sh\nshift\nexec %s "$@"\n' "$TIDEWAITER_INSIDE" >"$stage/shell"
chmod +x "$stage/shell"
echo "tidewaiter emulation" | put data
"$stage/peer" -a -e "$stage/shell" "inside:$there/data" "$stage/"
