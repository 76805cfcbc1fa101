#!/bin/sh
# Asks a name server of its own for EC2's endpoint in af-south-1: one alert must have the name.
# Needs: getent
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
inside getent ahostsv4 ec2.af-south-1.amazonaws.com </dev/null >/dev/null || :
