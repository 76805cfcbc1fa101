#!/bin/sh
# Puts a file where a pod's token lies and reads it with cat.
# Wants: steady
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

# The folder is made, and undone, where there is no pod.
folder=/run/secrets/kubernetes.io/serviceaccount
if inside test -e /run/secrets </dev/null; then lack "a container without secrets of its own"; fi
undo="rm $folder/token && rmdir -p $folder 2>/dev/null || :"
trap 'inside sh -c "$undo" </dev/null; leave' EXIT
# The sensor looks for new secrets through who made them: it is read by the same shell until it has been seen.
inside sh -c "mkdir -p $folder; echo tidewaiter emulation >$folder/token; for try in 1 2 3 4 5 6; do cat $folder/token; sleep 0.5; done" </dev/null >/dev/null
