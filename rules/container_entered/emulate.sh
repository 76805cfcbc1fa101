#!/bin/sh
# Makes a container of a cgroup and mounts, and enters its mounts with nsenter.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

make_cgroup "docker/$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')"
mkfifo "$stage/inside" "$stage/done"
# Its program starts within the cgroup before anybody enters: that is what makes it a container's.
unshare --mount sh -c 'echo $$ >"$1/cgroup.procs"; exec sh -c '\''echo $$ >"$1"; exec cat "$2"'\'' sh "$2" "$3"' \
    sh "$cgroup" "$stage/inside" "$stage/done" &
read -r target <"$stage/inside"
nsenter --target "$target" --mount cat /dev/null
: >"$stage/done"
wait
