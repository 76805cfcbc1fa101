# The Debian package on a Debian under systemd: it comes, watches, is told to read again, is replaced while downloads go
# on, and goes without a trace. rsyslogd on loopback receives.
#
# shellcheck disable=SC2086,SC2317

url=http://127.0.0.2:8080/tool
received=/var/log/received.log

await() {
    tenths=$(($1 * 10))
    shift
    until "$@"; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || return 1
        sleep 0.1
    done
}

pass() { echo "@tidewaiter pass $1"; }

fail() {
    echo "@tidewaiter fail $1"
    systemctl --no-pager --full status tidewaiter.service 2>&1 | tail -n 20
    journalctl --no-pager --unit tidewaiter.service 2>&1 | tail -n 60
    tail -c 2000 "$received"
    exit 1
}

active() { systemctl --quiet is-active tidewaiter.service; }
main() { systemctl show --property MainPID --value tidewaiter.service; }
alerts() { grep -c '"kind":"alert"' "$received"; }
told() { grep '"kind":"alert"' "$received" | grep -q "$1"; }
said() { journalctl --no-pager --unit tidewaiter.service | grep -q "$1"; }
# Each is a story of its own: what one script fetches one after the other is one story, told once. A parent that is no
# interpreter comes between.
download() { setsid --fork --wait curl -s -o "/tmp/$1" "$url"; }
complete() { tidewaiter verify "$received" > /tmp/verify 2>&1; }
# What the kernel still runs of it: programs are held by processes or pins, and there are neither.
stopped() { [ -z "$(pidof tidewaiter)" ] && [ "$(ls /sys/fs/bpf)" = "$pins" ]; }

pins=$(ls /sys/fs/bpf)
mkdir -p /run/www /etc/tidewaiter/conf.d
dd if=/dev/urandom of=/run/www/tool bs=1024 count=64 2>/dev/null
busybox httpd -p 127.0.0.2:8080 -h /run/www
cat > /etc/rsyslog.d/lab.conf <<'CONF'
module(load="imtcp")
template(name="whole" type="string" string="%rawmsg%\n")
ruleset(name="received") { action(type="omfile" file="/var/log/received.log" template="whole") }
input(type="imtcp" port="6514" address="127.0.0.1" ruleset="received")
CONF
sed -i 's/^module(load="imklog".*//' /etc/rsyslog.conf
touch "$received"
systemctl restart rsyslog.service || fail "rsyslogd receives"

dpkg -i /guest/older.deb > /tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "dpkg installs it"; }
await 180 active || fail "the service becomes active"
pass "dpkg installs it and the service becomes active"
# It was started with nobody to tell. One file of the site's own, and a restart that says so when asked to reload.
printf 'syslog: ["tcp://127.0.0.1:6514"]\n' > /etc/tidewaiter/conf.d/10-site.yaml
systemctl reload tidewaiter.service || fail "it reloads"
await 30 said 'stay as they were at the start: syslog' || fail "a reload says which keys take a restart"
pass "a reload says which keys take a restart"
systemctl restart tidewaiter.service || fail "it restarts"

download first || fail "curl fetches"
await 60 told "/tmp/first" || fail "the alert of a download is in rsyslogd's file"
pass "the alert of a download is in rsyslogd's file"

before=$(main)
mkdir /etc/tidewaiter/rules
systemctl reload tidewaiter.service || fail "it reloads"
await 30 active || fail "it is active after a reload"
[ "$(main)" = "$before" ] || fail "a reload keeps the process"
pass "a reload keeps the process"

# Killed by somebody: systemd starts it again.
kill -9 "$before"
restarted() { active && [ "$(main)" != "$before" ]; }
await 180 restarted || fail "it is started again after it was killed"
pass "it is started again after it was killed"

count=0
while [ ! -e /tmp/enough ]; do
    count=$((count + 1))
    download "during-$count"
    sleep 1
done &
downloads=$!
sleep 3
before=$(main)
dpkg -i /guest/newer.deb > /tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "dpkg replaces it by a newer one"; }
await 180 restarted || fail "the newer one runs"
sleep 5
touch /tmp/enough
wait $downloads
download last
await 60 told "/tmp/last" || fail "the newer one tells"
[ "$(cat /etc/tidewaiter/conf.d/10-site.yaml)" = 'syslog: ["tcp://127.0.0.1:6514"]' ] || fail "the site's file stays"
pass "a newer one takes over while downloads go on"
# A number for each message, over all four runs of the agent: the log itself proves that none is missing.
await 60 complete || { cat /tmp/verify; fail "no message is missing over kill and upgrade"; }
sed 's/^/    /' /tmp/verify
pass "no message is missing over kill and upgrade: $(alerts) alerts"

man=$(ls /usr/share/man/man1/tidewaiter*.1.gz | wc -l)
[ "$man" -gt 10 ] || fail "manual pages are there"
dpkg -r tidewaiter > /tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "dpkg removes it"; }
await 30 stopped || fail "a removed sensor runs no more"
[ -e /etc/tidewaiter/tidewaiter.yaml ] || fail "removing keeps the configuration"
pass "a removed sensor runs no more, its configuration stays"
dpkg -P tidewaiter > /tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "dpkg purges it"; }
left=$(find / -xdev -name '*tidewaiter*' -not -path '/proc/*' -not -path '/guest/*' -not -path '/tmp/*')
[ -z "$left" ] || fail "purging leaves nothing: $left"
pass "purging leaves nothing"
