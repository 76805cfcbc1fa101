#!/bin/sh
# Makes random bytes: must stay silent.
# Needs: openssl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need openssl
inside openssl rand -hex 8 </dev/null >/dev/null
