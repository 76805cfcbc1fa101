#!/bin/sh
# Puts a shell into a cgroup that is called like a container's for seven seconds.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

make_cgroup "docker/$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')"
sh -c 'echo $$ >"$1/cgroup.procs"; exec sleep 7' sh "$cgroup"
