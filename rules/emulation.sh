# What the emulations share: a place to work in, a way into the container, a peer to talk to.
# Sourced by `emulate.sh` and `benign.sh` of every detection; POSIX sh. All of it is undone on exit.
#
#   TIDEWAITER_INSIDE   command that runs its arguments in the container and hands on standard
#                       input, for example `docker exec -i web`; empty: on this machine
#   TIDEWAITER_ADDRESS  address of this machine as seen from inside; the stub listens there.
#                       Default 127.0.0.2: still loopback, but not the 127.0.0.1 of health checks,
#                       which the rules leave alone. For a bridged container: the bridge's address
#   TIDEWAITER_URL      a server to use in place of the stub (http://..., rsync://host/module/)
#
# Needed here: python3 (the stub), and rsync or sshd where the emulation talks to one. Needed inside:
# sh, mkdir, cat, rm, and the tool itself. Exit status 0: the technique was done.

set -eu

: "${TIDEWAITER_INSIDE:=}" "${TIDEWAITER_ADDRESS:=127.0.0.2}" "${TIDEWAITER_URL:=}"

stage=$(mktemp -d)
there=/tmp/tidewaiter-emulation.$$
served=
made_run_sshd=
cgroups=

fail() {
    echo "$(basename "$(dirname "$0")"): $*" >&2
    exit 1
}

# Runs a command where the sensor is to see it.
inside() {
    # Unquoted on purpose: the prefix is a command with arguments.
    # shellcheck disable=SC2086
    $TIDEWAITER_INSIDE "$@"
}

leave() {
    status=$?
    trap - EXIT
    if [ -n "$served" ]; then
        kill "$served" 2>/dev/null || :
        wait "$served" 2>/dev/null || :
    fi
    inside rm -rf "$there" </dev/null || :
    rm -rf "$stage"
    # Deepest first; whoever was in them has ended.
    if [ -n "$cgroups" ]; then find "$cgroups/tidewaiter-emulation.$$" -depth -type d -exec rmdir {} + 2>/dev/null || :; fi
    if [ -n "$made_run_sshd" ]; then rmdir /run/sshd 2>/dev/null || :; fi
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Puts standard input into a file inside.
put() {
    inside sh -c "umask 077; cat >'$there/$1'"
}

# Makes a cgroup on this machine with the name or path $1, below one of this emulation. Sets `cgroup`, and `cgroups`,
# the root of the hierarchy.
make_cgroup() {
    cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [ -n "$cgroups" ] || fail "no cgroup v2 hierarchy is mounted on this machine"
    cgroup=$cgroups/tidewaiter-emulation.$$/$1
    mkdir -p "$cgroup" || fail "no cgroup can be made below $cgroups"
}

# Runs a command for each connection, its standard input and output being the socket, as inetd does.
# Sets `port`.
serve() {
    mkfifo "$stage/ready"
    python3 -c '
import socket, subprocess, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    subprocess.run(sys.argv[2:], stdin=peer, stdout=peer, stderr=subprocess.DEVNULL)
    peer.close()
' "$TIDEWAITER_ADDRESS" "$@" >"$stage/ready" &
    served=$!
    # End of file instead of a line: the stub died, and said why.
    read -r port <"$stage/ready" || fail "the stub cannot listen on $TIDEWAITER_ADDRESS"
}

# An HTTP server that hands out `tool` and takes what it is sent. Sets `url`, ending with a slash.
serve_http() {
    if [ -n "$TIDEWAITER_URL" ]; then
        url=${TIDEWAITER_URL%/}/
        return
    fi
    mkfifo "$stage/ready"
    python3 -c '
import http.server, sys
class Stub(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"#!/bin/sh\necho tidewaiter emulation\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer((sys.argv[1], 0), Stub)
print(server.server_port, flush=True)
server.serve_forever()
' "$TIDEWAITER_ADDRESS" >"$stage/ready" &
    served=$!
    read -r port <"$stage/ready" || fail "the stub cannot listen on $TIDEWAITER_ADDRESS"
    url=http://$TIDEWAITER_ADDRESS:$port/
}

# An rsync daemon with one writable module that holds `tool`. Sets `url`, ending with a slash.
serve_rsync() {
    if [ -n "$TIDEWAITER_URL" ]; then
        url=${TIDEWAITER_URL%/}/
        return
    fi
    mkdir "$stage/module"
    echo "tidewaiter emulation" >"$stage/module/tool"
    cat >"$stage/rsyncd.conf" <<CONF
use chroot = no
log file = $stage/rsyncd.log
[stage]
path = $stage/module
read only = no
CONF
    if [ "$(id -u)" = 0 ]; then printf 'uid = 0\ngid = 0\n' >>"$stage/rsyncd.conf"; fi
    serve rsync --daemon --config="$stage/rsyncd.conf"
    url=rsync://$TIDEWAITER_ADDRESS:$port/stage/
}

# An SSH server for this user with a key made for the occasion. Sets `port`, `account`, and
# `ssh_options`; `$stage/module/tool` can be fetched. Leaves the key inside as `$there/key`.
serve_ssh() {
    sshd=$(command -v sshd || echo /usr/sbin/sshd)
    [ -x "$sshd" ] || fail "no sshd on this machine; install openssh-server"
    if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then
        mkdir -m 755 /run/sshd # sshd refuses to start as root without it
        made_run_sshd=yes
    fi
    mkdir "$stage/module"
    echo "tidewaiter emulation" >"$stage/module/tool"
    ssh-keygen -q -t ed25519 -N '' -f "$stage/host"
    ssh-keygen -q -t ed25519 -N '' -f "$stage/key"
    cat >"$stage/sshd_config" <<CONF
HostKey $stage/host
AuthorizedKeysFile $stage/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp
CONF
    serve "$sshd" -i -f "$stage/sshd_config"
    put key <"$stage/key"
    account=$(id -un)@$TIDEWAITER_ADDRESS
    ssh_options="-i $there/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
}

inside mkdir -m 700 "$there" </dev/null || fail "no directory can be made inside ($TIDEWAITER_INSIDE)"
