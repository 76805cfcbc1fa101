#!/bin/sh
# Asks who is here, and nobody else: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside hostname </dev/null >/dev/null 2>&1 || :
inside cat /etc/hosts </dev/null >/dev/null
