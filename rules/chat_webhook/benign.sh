#!/bin/sh
# Starts it with a message and no file: must stay silent.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in_program curl
inside "$stand_in" -sS -d '{"text": "build 7 is green"}' https://hooks.slack.com/services/T0/B0/x </dev/null >/dev/null
