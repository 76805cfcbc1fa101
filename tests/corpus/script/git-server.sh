# A repository over the three ways in: HTTP files, git's own protocol, ssh.
set -eu
mkdir -p /srv/git /run/sshd /root/.ssh
git init --quiet --initial-branch main /tmp/shop
cd /tmp/shop
git config user.email lab@lab.invalid
git config user.name Lab
head -c 100000 /dev/urandom | base64 >data.txt
git add data.txt
git commit --quiet --message 'First'
git clone --quiet --bare /tmp/shop /srv/git/shop.git
git --git-dir /srv/git/shop.git update-server-info
ssh-keygen -q -t ed25519 -N '' -f /keys/client
cp /keys/client.pub /root/.ssh/authorized_keys
ssh-keygen -A >/dev/null
printf 'events {}\nhttp { server { listen 80; root /srv/git; } }\n' >/etc/nginx/nginx.conf
nginx
git daemon --base-path=/srv/git --export-all --detach --pid-file=/run/git.pid
exec /usr/sbin/sshd -D
