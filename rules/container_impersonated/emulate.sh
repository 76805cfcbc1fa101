#!/bin/sh
# Puts a shell into a cgroup that is called like a container's for seven seconds.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$group" ] || fail "no cgroup v2 hierarchy is mounted on this machine"
parent=$group/tidewaiter-emulation.$$
id=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
mkdir "$parent" "$parent/docker" "$parent/docker/$id" || fail "no cgroup can be made below $group"
sh -c 'echo $$ >"$1/cgroup.procs"; exec sleep 7' sh "$parent/docker/$id"
rmdir "$parent/docker/$id" "$parent/docker" "$parent"
