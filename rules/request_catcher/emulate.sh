#!/bin/sh
# Asks a DNS stub for a name below a request catcher.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
ask_dns 1 web.c23b2la0kl1krjcrdj10.oast.pro
