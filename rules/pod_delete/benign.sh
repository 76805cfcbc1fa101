#!/bin/sh
# Would delete a configuration, and rehearses a deletion; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in kubectl
inside "$stand_in" -n shop delete configmap orders </dev/null >/dev/null
inside "$stand_in" -n shop delete pod orders-5d9c --dry-run=client </dev/null >/dev/null
