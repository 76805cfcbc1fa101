#!/bin/sh
# Makes a socket called docker.sock inside and sends it a request, with no runtime behind it: one alert must
# have its path.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

ask_socket docker.sock
