#!/bin/sh
# Asks a DNS stub for 60 long names of one domain, each another one.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
names=$(awk 'BEGIN { for (n = 0; n < 60; n++) printf "%04d6d7f2a19c4e8b05d3f61a2b9c7d4e8f0.t.example.net ", n }' </dev/null)
# shellcheck disable=SC2086 # 60 names
ask_dns 16 $names
