# What no container of the image did while it was learned.
set -eu
cp /bin/true /usr/local/bin/tide-tool
tide-tool
curl --silent --show-error --output /tmp/page http://web:8080/
