#!/bin/sh
# Runs a stand-in for aws that would enable af-south-1: one alert must name operation and region.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" account enable-region --region-name af-south-1 </dev/null >/dev/null
