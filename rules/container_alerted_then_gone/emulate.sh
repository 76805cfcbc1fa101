#!/bin/sh
# Lets another container run a program whose file it deleted, which is grave, and end: one alert must tell that it
# is gone.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

spare sh -c 'cp /bin/true /tmp/tool && exec 9</tmp/tool && rm /tmp/tool && /proc/self/fd/9; sleep 1' </dev/null
