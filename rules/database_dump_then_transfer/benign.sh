#!/bin/sh
# Asks the same program for its version, and loopback for its health: must stay silent.
# Needs: curl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program pg_dump
inside "$stand_in" --version </dev/null >/dev/null
inside curl -fsS -m 2 http://127.0.0.1:9/health </dev/null >/dev/null 2>&1 || :
