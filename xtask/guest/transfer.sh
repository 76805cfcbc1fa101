# A download with curl inside a container, on another kernel: the alert must come and tell who, what and where.
#
# It speaks to `cargo xtask vm` in lines that begin with @tidewaiter: what it expects of the alert, then the alert.

container=$(printf 'tidewaiter guest' | sha256sum | cut -c 1-64)
# Not 127.0.0.1, which the rules leave to health checks.
address=127.0.0.2
port=8080
command="curl -s -o /tmp/tool http://$address:$port/tool"

# await SECONDS COMMAND...: until the command succeeds.
await() {
    tenths=$(($1 * 10))
    shift
    until "$@"; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || return 1
        usleep 100000
    done
}

fail() {
    echo "@tidewaiter fail $1"
    shift
    for log in "$@"; do
        echo "--- $log"
        tail -n 40 "$log"
    done
    exit 1
}

ready() { grep -q '"kind":"coverage"' /run/agent.json; }
ready_or_gone() { ready || ! kill -0 "$agent" 2>/dev/null; }
alerted() { grep '"kind":"alert"' /run/agent.json | grep -q "$container"; }
served() { wget -q -O /dev/null "http://$address:$port/tool"; }

mkdir -p /run/www
dd if=/dev/urandom of=/run/www/tool bs=1024 count=64 2>/dev/null
httpd -p "$address:$port" -h /run/www
await 20 served || fail "the guest's web server answers"

tidewaiter run --format json > /run/agent.json 2> /run/agent.log &
agent=$!
# Emulated, the verifier takes many times what it takes natively.
await 120 ready_or_gone
ready || fail "the agent gets ready" /run/agent.json /run/agent.log
echo "@tidewaiter pass the agent gets ready"
echo "@tidewaiter coverage $(grep -m 1 '"kind":"coverage"' /run/agent.json)"

# shellcheck disable=SC2086 # the words of the command
sh /guest/container.sh "$container" $command || fail "curl fetches the file inside the container" /run/agent.log
cmp -s /run/www/tool /container/tmp/tool || fail "the file arrives whole" /run/agent.log
echo "@tidewaiter pass curl fetches the file inside the container"

await 60 alerted || fail "the alert comes" /run/agent.json /run/agent.log
echo "@tidewaiter expect container.id $container"
echo "@tidewaiter expect process.executable /usr/bin/curl"
echo "@tidewaiter expect process.command_line $command"
echo "@tidewaiter expect destination.ip $address"
echo "@tidewaiter expect destination.port $port"
echo "@tidewaiter alert $(grep '"kind":"alert"' /run/agent.json | grep -m 1 "$container")"

# Root takes every cgroup link from its place: the keeper attaches them again, and probes show that they see. Only where
# there is who does the deed (`cargo xtask test vm`).
links() {
    for link in /proc/"$agent"/fdinfo/*; do
        grep -q '^link_type:.*cgroup' "$link" 2>/dev/null && sed -n 's/^link_id:[^0-9]*//p' "$link"
    done
}
mended() {
    names=$(grep -o '"action":"detached","name":"[^"]*"[^}]*"mended":"proven"' /run/agent.json | cut -d'"' -f8 | sort -u)
    [ "$(echo "$names" | wc -w)" -ge "$detached" ]
}
if command -v deed > /dev/null; then
    detached=0
    for id in $(links); do
        deed tamper detach --id "$id" > /dev/null
        detached=$((detached + 1))
    done
    [ $detached -ge 7 ] || fail "cgroup links are there to detach: $detached" /run/agent.log
    await 60 mended || fail "$detached detached links are told, attached again and proven" /run/agent.json /run/agent.log
    echo "@tidewaiter pass $detached detached links are told, attached again and proven"
fi

kill "$agent"
wait "$agent" || fail "the agent ends well" /run/agent.log
echo "@tidewaiter pass the agent ends well"
