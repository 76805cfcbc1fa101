#!/bin/sh
# Forwards a service that is no dashboard; nothing may be reported.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in kubectl
inside "$stand_in" port-forward svc/orders 8080:80 </dev/null >/dev/null
inside "$stand_in" version --client </dev/null >/dev/null
