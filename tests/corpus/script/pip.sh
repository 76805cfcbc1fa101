set -eu
pip install --break-system-packages --disable-pip-version-check --index-url http://mirror/pip --trusted-host mirror corpus-wheel
corpus-wheel
