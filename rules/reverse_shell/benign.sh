#!/bin/sh
# Starts a shell with pipes, and opens a connection to loopback with bash: nothing of this detection.
# Needs: bash
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c "echo 'read line; echo \"\$line\"' | sh" </dev/null >/dev/null
inside bash -c "exec 5<>/dev/tcp/127.0.0.1/9" </dev/null 2>/dev/null || :
