#!/bin/sh
# Reads other files, and what lies beside a token: must stay silent.
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside sh -c 'cat /etc/passwd; :' </dev/null >/dev/null
inside sh -c 'cat /run/secrets/kubernetes.io/serviceaccount/ca.crt 2>/dev/null || :' </dev/null >/dev/null
