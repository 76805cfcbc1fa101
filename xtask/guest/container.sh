#!/bin/sh
# container.sh ID COMMAND...: runs COMMAND as a container runtime does: first into the container's cgroup, then into
# mount and pid namespaces of its own, then onto its own root, /container. The network stays the guest's.

cgroup=/sys/fs/cgroup/docker/$1
shift
mkdir -p "$cgroup"
echo $$ > "$cgroup/cgroup.procs" || exit 125

# shellcheck disable=SC2016 # the inner shell expands these
exec unshare -m -p -f sh -c '
    mount --bind /container /container || exit 125
    mount -t proc proc /container/proc || exit 125
    cd /container && mkdir -p .old && pivot_root . .old || exit 125
    umount -l /.old
    exec "$@"
' container "$@"
