#!/bin/sh
# A stand-in for PowerShell is asked for its version: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in pwsh
inside "$stand_in" -Version </dev/null >/dev/null
inside "$stand_in" -Command Get-Date </dev/null >/dev/null
