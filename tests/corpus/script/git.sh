set -eu
export GIT_SSH_COMMAND='ssh -i /keys/client -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'
cd /tmp
git clone --quiet http://code/shop.git http
git clone --quiet git://code/shop.git daemon
git clone --quiet ssh://root@code/srv/git/shop.git ssh
git -C ssh log --oneline
git -C http fetch --quiet
