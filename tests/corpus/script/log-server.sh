set -eu
printf 'module(load="imtcp")\ninput(type="imtcp" port="514")\n*.* action(type="omfile" file="/var/log/central.log")\n' >/etc/rsyslog.conf
exec rsyslogd -n -i /run/rsyslogd.pid
