# What ships the logs of an application.
set -eu
printf 'module(load="imuxsock")\n*.* action(type="omfwd" target="logs" port="514" protocol="tcp" queue.type="LinkedList" action.resumeRetryCount="-1")\n' >/etc/rsyslog.conf
exec rsyslogd -n -i /run/rsyslogd.pid
