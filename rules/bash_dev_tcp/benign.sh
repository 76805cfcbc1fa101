#!/bin/sh
# Knocks at a port of loopback, where nobody need answer: must stay silent.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside bash -c ": </dev/tcp/127.0.0.1/9" </dev/null 2>/dev/null || :
inside bash -c "ls /dev" </dev/null >/dev/null
