#!/bin/sh
# Makes an empty image under the name of a registry that does not exist, and starts a container of it with this
# machine's own tools: one alert must name the registry.
# Acts on this machine alone: see what it needs below.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

run_image registry.tidewaiter.invalid:5000/tool:$$
