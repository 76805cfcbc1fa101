#!/bin/sh
# Moves a shell of the host between cgroups of the host: must stay silent.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$group" ] || fail "no cgroup v2 hierarchy is mounted on this machine"
own=$group/tidewaiter-emulation.$$
mkdir "$own" || fail "no cgroup can be made below $group"
sh -c 'echo $$ >"$1/cgroup.procs"; cat /dev/null; echo $$ >"$2/cgroup.procs"; exec cat /dev/null' sh "$own" "$group"
rmdir "$own"
