#!/bin/sh
# Starts a harmless program called kubectl with the arguments of reading files out of pods.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program kubectl
inside "$stand_in" exec web-0 -- cat /etc/shop/config.yaml </dev/null >/dev/null
inside "$stand_in" -n shop exec db-0 -c db -- tar -czf - /var/lib/data </dev/null >/dev/null
