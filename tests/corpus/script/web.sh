set -eu
mkdir -p /srv/www
echo '<h1>shop</h1>' >/srv/www/index.html
printf 'events {}\nhttp { server { listen 8080; root /srv/www; } }\n' >/etc/nginx/nginx.conf
exec nginx -g 'daemon off;'
