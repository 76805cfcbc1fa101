#!/bin/sh
# Asks a DNS stub for one long name 60 times, and for 60 short names: must stay silent.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
names=$(awk 'BEGIN { for (n = 0; n < 60; n++) print "00006d7f2a19c4e8b05d3f61a2b9c7d4e8f0.t.example.net n" n ".example.com" }' </dev/null)
# shellcheck disable=SC2086 # 120 names
ask_dns 1 $names
