#!/bin/sh
# Knocks at a port with bash and reads nothing, as scripts do that wait for a service: nothing of this
# detection.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_tcp
inside bash -c "echo >/dev/tcp/$remote/$port" </dev/null
