# What the emulations share: a place to work in, a way into the container, a peer to talk to.
# Sourced by `emulate.sh` and `benign.sh` of every detection; POSIX sh. All of it is undone on exit.
# `tidewaiter validate` runs them and sets all that follows; by hand the first two are enough.
#
#   TIDEWAITER_INSIDE   command that runs its arguments in the container and hands on standard
#                       input, for example `docker exec -i web`; empty: on this machine
#   TIDEWAITER_ADDRESS  address of this machine as seen from inside; the stubs listen there.
#                       Default 127.0.0.2: still loopback, but not the 127.0.0.1 of health checks,
#                       which the rules leave alone. For a bridged container: the bridge's address
#   TIDEWAITER_REMOTE   another such address, which is neither private nor loopback by its number.
#                       Default: TIDEWAITER_ADDRESS
#   TIDEWAITER_URL      a server to use in place of the stub (http://..., rsync://host/module/)
#   TIDEWAITER_BESIDE   command that runs its arguments on this machine, in the container's network
#   TIDEWAITER_STAND    folder on this machine that the container sees at TIDEWAITER_STAND_INSIDE
#   TIDEWAITER_SPARE    command that runs its arguments in a new container of the same image
#
# A script sees `$remote`, the address to talk to, and `$there`, its folder inside. Lines of its header:
#   # Needs: a b        programs that must be inside; without them it ends with status 77
#   # Wants: steady     `validate` runs it in a container that is over its first half minute
#   Acts on this machine alone   it needs no container, and its alert is not looked for in one
#
# Needed here: python3 (the stubs), and rsync or sshd where the emulation talks to one. Needed inside:
# sh, mkdir, cat, rm, and the tool itself. Exit status 0: the technique was done; 77: it cannot be done
# here, for the reason told ("lacks socat").

set -eu

: "${TIDEWAITER_INSIDE:=}" "${TIDEWAITER_ADDRESS:=127.0.0.2}" "${TIDEWAITER_URL:=}" "${TIDEWAITER_BESIDE:=}"
: "${TIDEWAITER_REMOTE:=$TIDEWAITER_ADDRESS}" "${TIDEWAITER_SPARE:=}"
: "${TIDEWAITER_STAND:=}" "${TIDEWAITER_STAND_INSIDE:=}"

remote=$TIDEWAITER_REMOTE
stage=$(mktemp -d)
there=/tmp/tidewaiter-emulation.$$
served=
stubs=0
cgroups=

fail() {
    echo "$(basename "$(dirname "$0")"): $*" >&2
    exit 1
}

# Ends the script: what it needs is not there.
lack() {
    echo "lacks $*" >&2
    exit 77
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
    for stub in $served; do
        kill "$stub" 2>/dev/null || :
        wait "$stub" 2>/dev/null || :
    done
    inside rm -rf "$there" </dev/null || :
    if [ -n "$TIDEWAITER_STAND" ]; then rm -rf "${TIDEWAITER_STAND:?}/$$"; fi
    rm -rf "$stage"
    # Deepest first; whoever was in them has ended.
    if [ -n "$cgroups" ]; then find "$cgroups/tidewaiter-emulation.$$" -depth -type d -exec rmdir {} + 2>/dev/null || :; fi
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Puts standard input into a file inside.
put() {
    inside sh -c "umask 077; cat >'$there/$1'"
}

# Ends the script with status 77 unless these programs are inside.
need() {
    missing=$(inside sh -c 'for tool; do command -v "$tool" >/dev/null || { echo "$tool"; break; }; done' sh "$@" </dev/null)
    if [ -n "$missing" ]; then lack "$missing"; fi
}

# A harmless program called $1: prints its arguments, reads what is piped into it, and ends well. It is a shell script,
# as the command lines of clouds are scripts. Sets `stand_in`, its path inside.
stand_in() {
    stand "$1" <<'SCRIPT'
#!/bin/sh
# Stands in for a program that would contact somebody: it contacts nobody.
printf '%s\n' "$*"
if [ -p /dev/stdin ]; then cat >/dev/null; fi
SCRIPT
}

# The same as a program and no script: the inside's own `echo` under the name $1. It reads no input. Where echo is an
# applet of something larger it is a script after all.
stand_in_program() {
    case $(inside sh -c 'readlink -f /bin/echo' </dev/null) in
        */echo)
            # No pipe: what the last part of one sets is lost.
            inside cat /bin/echo </dev/null >"$stage/program"
            stand "$1" <"$stage/program"
            ;;
        *) stand_in "$1" ;;
    esac
}

# Makes standard input a program inside, called $1, where `validate` has a folder for it that is not a part of the
# container's own files.
stand() {
    if [ -n "$TIDEWAITER_STAND" ]; then
        mkdir -p "$TIDEWAITER_STAND/$$"
        cat >"$TIDEWAITER_STAND/$$/$1"
        chmod 755 "$TIDEWAITER_STAND/$$" "$TIDEWAITER_STAND/$$/$1"
        stand_in=$TIDEWAITER_STAND_INSIDE/$$/$1
    else
        inside mkdir -p "$there/bin" </dev/null
        put "bin/$1"
        inside chmod 700 "$there/bin/$1" </dev/null
        stand_in=$there/bin/$1
    fi
}

# Runs a command in a new container of the same image, which is gone afterwards.
spare() {
    if [ -z "$TIDEWAITER_SPARE" ]; then lack "another container"; fi
    # shellcheck disable=SC2086 # a command with arguments
    $TIDEWAITER_SPARE "$@"
}

# Sends so many bytes, each number over a connection of its own, to the stub at `$remote` and `$port`, with a Python
# program of a few lines.
send_tcp() {
    put send.py <<'PROGRAM'
import socket, sys
for size in sys.argv[3:]:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as peer:
        for part in range(0, int(size), 1 << 20):
            peer.sendall(bytes(min(int(size) - part, 1 << 20)))
PROGRAM
    inside python3 "$there/send.py" "$remote" "$port" "$@" </dev/null
}

# Asks the DNS stub for records of type $1 (1: A, 16: TXT) of each of the names that follow, with a Python program of a
# few lines.
ask_dns() {
    put ask.py <<'PROGRAM'
import socket, struct, sys
for name in sys.argv[3:]:
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question + struct.pack("!xHH", int(sys.argv[2]), 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(2)
        peer.sendto(query, (sys.argv[1], 53))
        peer.recv(4096)
PROGRAM
    inside python3 "$there/ask.py" "$remote" "$@" </dev/null
}

# Makes a local socket called $1 inside and sends it a request, with nothing behind it that would act on it.
ask_socket() {
    put probe.py <<'PROGRAM'
import socket, sys
path = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(path)
peer, _ = server.accept()
client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
peer.recv(64)
PROGRAM
    inside python3 "$there/probe.py" "$there/$1" </dev/null
}

# Puts a key where keys lie inside; it is taken away again. Sets `secret`, its path. Who puts it there ends at once:
# the sensor then looks for it through others of the container, so it is to be used for as long as that may take.
put_secret() {
    folder=/run/.ssh
    if inside test -e $folder </dev/null; then lack "an inside without $folder"; fi
    trap 'inside rm -rf /run/.ssh </dev/null || :; leave' EXIT
    inside sh -c "mkdir -m 700 $folder; printf %0400d 0 >$folder/id_emulation" </dev/null
    secret=$folder/id_emulation
}

# Makes an empty image under the name $1 on this machine, and starts a container of it that has this machine's own tools
# and no network. The image is taken away again.
run_image() {
    docker version >/dev/null 2>&1 || lack "docker on this machine"
    image=$1
    trap 'docker image rm -f "$image" >/dev/null 2>&1 || :; leave' EXIT
    mkdir -p "$stage/root/bin"
    tar -C "$stage/root" -cf - . | docker import - "$image" >/dev/null
    set --
    for folder in /bin /lib /lib64 /usr; do
        if [ -d "$folder" ]; then set -- "$@" -v "$(readlink -f "$folder"):$folder:ro"; fi
    done
    docker run --rm --network none "$@" "$image" sleep 1
}

# Makes a cgroup on this machine with the name or path $1, below one of this emulation. Sets `cgroup`, and `cgroups`,
# the root of the hierarchy.
make_cgroup() {
    cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [ -n "$cgroups" ] || fail "no cgroup v2 hierarchy is mounted on this machine"
    cgroup=$cgroups/tidewaiter-emulation.$$/$1
    mkdir -p "$cgroup" || fail "no cgroup can be made below $cgroups"
}

# Listens at the two addresses, at one port for both.
listen='
import socket, sys
def listen(wanted=0):
    hosts = sorted({sys.argv[1], sys.argv[2]})
    for attempt in range(64):
        found, port = [], wanted
        try:
            for host in hosts:
                found.append(socket.create_server((host, port)))
                port = found[-1].getsockname()[1]
            return found, port
        except OSError as error:
            for one in found:
                one.close()
            reason = error
    sys.exit(f"cannot listen: {reason}")
'

# Starts a stub, a Python program with further arguments. Sets `port` to what it prints when it is ready.
stub() {
    command -v python3 >/dev/null || lack "python3 on this machine"
    program=$1
    shift
    stubs=$((stubs + 1))
    mkfifo "$stage/ready.$stubs"
    # shellcheck disable=SC2086 # a command with arguments
    $TIDEWAITER_BESIDE python3 -c "$listen$program" "$TIDEWAITER_ADDRESS" "$remote" "$@" >"$stage/ready.$stubs" &
    served="$served $!"
    # End of file instead of a line: the stub died, and said why.
    read -r port <"$stage/ready.$stubs" || fail "the stub cannot listen on $TIDEWAITER_ADDRESS and $remote"
}

# Runs a command for each connection, its standard input and output being the socket, as inetd does.
# Sets `port`.
serve() {
    stub '
import selectors, subprocess
listeners, port = listen()
ready = selectors.DefaultSelector()
for listener in listeners:
    ready.register(listener, selectors.EVENT_READ)
print(port, flush=True)
while True:
    for key, _ in ready.select():
        peer, _ = key.fileobj.accept()
        subprocess.run(sys.argv[3:], stdin=peer, stdout=peer, stderr=subprocess.DEVNULL)
        peer.close()
' "$@"
}

# Takes what comes over TCP and answers nothing, several connections at a time. Sets `port`.
serve_tcp() {
    stub '
import threading
def drain(peer):
    with peer:
        while peer.recv(1 << 16):
            pass
def accept(listener):
    while True:
        threading.Thread(target=drain, args=(listener.accept()[0],), daemon=True).start()
listeners, port = listen()
threads = [threading.Thread(target=accept, args=(listener,)) for listener in listeners]
for thread in threads:
    thread.start()
print(port, flush=True)
'
}

# Answers every DNS query on port 53: A with $remote, TXT with a word, else with nothing. Where `validate` runs the
# script, names inside are asked for here.
serve_dns() {
    stub '
import struct, threading
def answer(query):
    end = 12
    while query[end]:
        end += query[end] + 1
    kind = struct.unpack("!H", query[end + 1:end + 3])[0]
    data = {1: socket.inet_aton(sys.argv[2]), 16: b"\x0atidewaiter"}.get(kind)
    record = b"" if data is None else struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
    counts = struct.pack("!HHHHH", 0x8180, 1, 1 if record else 0, 0, 0)
    return query[:2] + counts + query[12:end + 5] + record
def serve(server):
    while True:
        query, peer = server.recvfrom(4096)
        try:
            server.sendto(answer(query), peer)
        except (IndexError, struct.error):
            pass
servers = []
for host in sorted({sys.argv[1], sys.argv[2]}):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, 53))
    servers.append(server)
for server in servers:
    threading.Thread(target=serve, args=(server,)).start()
print(53, flush=True)
'
}

# An HTTP server that hands out `tool`, a script, and `bytes/N`, N bytes, and takes what it is sent. Sets `url`,
# ending with a slash.
serve_http() {
    if [ -n "$TIDEWAITER_URL" ]; then
        url=${TIDEWAITER_URL%/}/
        return
    fi
    stub '
import http.server, threading
class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def take(self, left):
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 16))) or left
    def answer(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            size = 1
            while size:
                size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
                self.take(size)
                self.rfile.readline()
        self.take(int(self.headers.get("Content-Length") or 0))
        name, _, count = self.path.strip("/").rpartition("/")
        if name.endswith("bytes") and count.isdigit():
            body = bytes(int(count))
        else:
            body = b"#!/bin/sh\necho tidewaiter emulation\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer
    def log_message(self, *arguments):
        pass
listeners, port = listen()
for listener in listeners:
    server = http.server.ThreadingHTTPServer(listener.getsockname(), Stub, bind_and_activate=False)
    server.socket.close()
    server.socket, server.daemon_threads = listener, True
    threading.Thread(target=server.serve_forever).start()
print(port, flush=True)
'
    url=http://$remote:$port/
}

# An rsync daemon with one writable module that holds `tool`. Sets `url`, ending with a slash.
serve_rsync() {
    if [ -n "$TIDEWAITER_URL" ]; then
        url=${TIDEWAITER_URL%/}/
        return
    fi
    command -v rsync >/dev/null || lack "rsync on this machine"
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
    url=rsync://$remote:$port/stage/
}

# An SSH server for this user with a key made for the occasion. Sets `port`, `account`, and
# `ssh_options`; `$stage/module/tool` can be fetched. Leaves the key inside as `$there/key`.
serve_ssh() {
    sshd=$(command -v sshd || echo /usr/sbin/sshd)
    if [ ! -x "$sshd" ]; then lack "sshd on this machine"; fi
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
PermitTunnel yes
Subsystem sftp internal-sftp
CONF
    if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then
        # sshd refuses to start as root without that folder: it gets one that nobody else sees.
        # shellcheck disable=SC2016 # for the inner shell
        serve unshare --mount sh -c 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$0" "$@"' \
            "$sshd" -i -f "$stage/sshd_config"
    else
        serve "$sshd" -i -f "$stage/sshd_config"
    fi
    put key <"$stage/key"
    account=$(id -un)@$remote
    ssh_options="-i $there/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
}

inside mkdir -m 700 "$there" </dev/null || fail "no directory can be made inside ($TIDEWAITER_INSIDE)"
needs=$(sed -n 's/^# Needs: //p' "$0")
# shellcheck disable=SC2086 # several names
if [ -n "$needs" ]; then need $needs; fi
