#!/bin/sh
# Runs a stand-in for kubectl that would forward the dashboard's port: one alert must have the command line.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in kubectl
inside "$stand_in" -n kubernetes-dashboard port-forward svc/kubernetes-dashboard-kong-proxy 8443:443 </dev/null >/dev/null
