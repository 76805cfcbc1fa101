#!/bin/sh
# Asks curl for its version and probes loopback, where nobody need answer: must stay silent.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside curl --version </dev/null >/dev/null
inside curl -fsS -m 2 http://127.0.0.1/health </dev/null >/dev/null 2>&1 || :
