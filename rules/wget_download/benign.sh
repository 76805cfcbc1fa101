#!/bin/sh
# Asks wget for its version and probes loopback, where nobody need answer: must stay silent.
# Needs: wget
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside wget --version </dev/null >/dev/null
inside wget -q -T 2 -t 1 --spider http://127.0.0.1/health </dev/null 2>/dev/null || :
