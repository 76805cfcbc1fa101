#!/bin/sh
# Pushes a file through a remote shell, so that rsync's receiving side starts inside.
# Needs: rsync
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

# The peer's own rsync goes under another name: only the receiving side is the technique here.
cp "$(command -v rsync)" "$stage/peer"
printf '#!/bin/sh\nshift\nexec %s "$@"\n' "$TIDEWAITER_INSIDE" >"$stage/shell"
chmod +x "$stage/shell"
echo "tidewaiter emulation" >"$stage/tool"
"$stage/peer" -a -e "$stage/shell" "$stage/tool" "inside:$there/"
