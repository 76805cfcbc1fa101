#!/bin/sh
# Moves a shell of the host between cgroups of the host: must stay silent.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

make_cgroup plain
sh -c 'echo $$ >"$1/cgroup.procs"; cat /dev/null; echo $$ >"$2/cgroup.procs"; exec cat /dev/null' sh "$cgroup" "$cgroups"
