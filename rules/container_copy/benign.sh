#!/bin/sh
# cp copies and tar packs and unpacks within the container: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "cd $there && echo x >x && cp x y && tar cf x.tar x && tar xf x.tar" </dev/null
