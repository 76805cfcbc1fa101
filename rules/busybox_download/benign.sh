#!/bin/sh
# Uses local applets and probes loopback, where nobody need answer: must stay silent.
# Needs: busybox
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside busybox ls / </dev/null >/dev/null
inside busybox wget -q -T 2 --spider http://127.0.0.1/health </dev/null 2>/dev/null || :
