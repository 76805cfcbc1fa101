#!/bin/sh
# Asks which regions are enabled; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" account list-regions </dev/null >/dev/null
inside "$stand_in" account get-region-opt-status --region-name af-south-1 </dev/null >/dev/null
