#!/bin/sh
# Makes a container of a cgroup and mounts, and enters its mounts with nsenter.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$group" ] || fail "no cgroup v2 hierarchy is mounted on this machine"
parent=$group/tidewaiter-emulation.$$
id=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
mkdir "$parent" "$parent/docker" "$parent/docker/$id" || fail "no cgroup can be made below $group"
mkfifo "$stage/inside" "$stage/done"
unshare --mount sh -c 'echo $$ >"$1/cgroup.procs"; echo $$ >"$2"; exec cat "$3"' \
    sh "$parent/docker/$id" "$stage/inside" "$stage/done" &
read -r target <"$stage/inside"
nsenter --target "$target" --mount cat /dev/null
: >"$stage/done"
wait
rmdir "$parent/docker/$id" "$parent/docker" "$parent"
