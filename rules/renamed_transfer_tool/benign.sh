#!/bin/sh
# A program with ordinary options and a URL as a word: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside echo -n http://127.0.0.1/ </dev/null >/dev/null
