#!/bin/sh
# Asks a name server of its own for a console: one alert must have the name.
# Needs: getent
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
inside getent ahostsv4 eu-central-1.console.aws.amazon.com </dev/null >/dev/null || :
