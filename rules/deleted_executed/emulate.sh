#!/bin/sh
# Opens a copy of a harmless program, deletes the copy, and runs it by its descriptor.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "cp /bin/true $there/tool && chmod 700 $there/tool && exec 9<$there/tool && rm $there/tool && /proc/self/fd/9" </dev/null || :
