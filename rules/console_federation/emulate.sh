#!/bin/sh
# Runs a stand-in for aws that would ask for a federation token: one alert must have the command line.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" sts get-federation-token --name operations --policy-arns arn=arn:aws:iam::aws:policy/AdministratorAccess </dev/null >/dev/null
