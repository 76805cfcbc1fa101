curl --silent --show-error --output /tmp/marker http://mirror/apt/corpus-hello.deb
