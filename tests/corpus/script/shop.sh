# What an application does with its database and its cache.
set -eu
psql --host database --username postgres --quiet --command \
    'create table if not exists goods (id serial primary key, name text)'
for number in 1 2 3 4 5 6 7 8; do
    psql --host database --username postgres --quiet --command "insert into goods (name) select md5(i::text) from generate_series(1, 2000) i"
    redis-cli -h cache set "page:$number" "$(head -c 300 /etc/services)" >/dev/null
    redis-cli -h cache get "page:$number" >/dev/null
done
