#!/bin/sh
# Puts a shell into a cgroup with an ordinary name for seven seconds: must stay silent.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

make_cgroup plain
sh -c 'echo $$ >"$1/cgroup.procs"; exec sleep 7' sh "$cgroup"
