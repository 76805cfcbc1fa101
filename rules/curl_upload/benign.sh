#!/bin/sh
# Posts a field to loopback, where nobody need answer, and asks curl for its version: must stay silent.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside curl --version </dev/null >/dev/null
inside curl -fsS -m 2 -d state=up http://127.0.0.1/health </dev/null >/dev/null 2>&1 || :
