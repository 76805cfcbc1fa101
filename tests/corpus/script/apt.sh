set -eu
rm -rf /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] http://mirror/apt ./' >/etc/apt/sources.list
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends corpus-hello corpus-tool
corpus-hello
apt-get remove -y corpus-tool
