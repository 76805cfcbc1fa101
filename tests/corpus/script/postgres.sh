set -eu
PATH=/usr/lib/postgresql/15/bin:$PATH
initdb --pgdata /tmp/data --auth trust >/dev/null
echo 'host all all 10.201.0.0/24 trust' >>/tmp/data/pg_hba.conf
exec postgres -D /tmp/data -k /tmp -c listen_addresses='*'
