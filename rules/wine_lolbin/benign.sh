#!/bin/sh
# A stand-in for Wine is told to make a hash with certutil: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in wine64
inside "$stand_in" certutil.exe -hashfile tool.exe SHA256 </dev/null >/dev/null
