#!/bin/sh
# Asks a DNS stub for names that only look alike: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
ask_dns 1 toast.pro webhook.site.example.org
