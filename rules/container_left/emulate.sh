#!/bin/sh
# Starts a shell in a cgroup like a container's and has it move to the root.
# Acts on this machine alone: it makes what it needs of a container. Needed: root and a cgroup v2 hierarchy.
. "$(dirname "$0")/../emulation.sh"

make_cgroup "docker/$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')"
# The first program there is the container; its child leaves.
unshare --mount sh -c 'echo $$ >"$1/cgroup.procs"; exec env sh -c "sh -c '"'"'echo \$\$ >\"\$1/cgroup.procs\"; exec cat /dev/null'"'"' sh \"\$1\"" sh "$2"' \
    sh "$cgroup" "$cgroups"
