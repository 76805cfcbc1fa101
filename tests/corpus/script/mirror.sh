# A mirror of three kinds of packages, and a web server for them: what a site has so that builds need no internet.
set -eu
mkdir -p /srv/apt /srv/pip/corpus-wheel /srv/npm/-
for name in corpus-hello corpus-tool; do
    root=/tmp/$name
    mkdir -p "$root/DEBIAN" "$root/usr/bin"
    printf '#!/bin/sh\necho %s\n' "$name" >"$root/usr/bin/$name"
    chmod 755 "$root/usr/bin/$name"
    printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.invalid>\nDescription: one program\n' \
        "$name" >"$root/DEBIAN/control"
    printf '#!/bin/sh\nset -e\ngrep -q %s /var/lib/dpkg/status\n' "$name" >"$root/DEBIAN/postinst"
    chmod 755 "$root/DEBIAN/postinst"
    deb=/srv/apt/$name.deb
    dpkg-deb --root-owner-group --build "$root" "$deb"
    {
        dpkg-deb --field "$deb"
        echo "Filename: ./$name.deb"
        echo "Size: $(stat -c %s "$deb")"
        echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
        echo
    } >>/srv/apt/Packages
done

python3 - <<'PYTHON'
import zipfile
files = {
    "corpus_wheel.py": "def main():\n    print('wheel')\n",
    "corpus_wheel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: corpus-wheel\nVersion: 1.0\n",
    "corpus_wheel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "corpus_wheel-1.0.dist-info/entry_points.txt": "[console_scripts]\ncorpus-wheel = corpus_wheel:main\n",
}
record = "".join(f"{name},,\n" for name in files) + "corpus_wheel-1.0.dist-info/RECORD,,\n"
files["corpus_wheel-1.0.dist-info/RECORD"] = record
with zipfile.ZipFile("/srv/pip/corpus-wheel/corpus_wheel-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
PYTHON

mkdir -p /tmp/npm/package
echo '{"name": "corpus-left", "version": "1.0.0", "main": "index.js", "scripts": {"postinstall": "node index.js"}}' \
    >/tmp/npm/package/package.json
echo 'module.exports = (text) => text.padStart(8); console.log(module.exports("left"));' >/tmp/npm/package/index.js
archive=/srv/npm/-/corpus-left-1.0.0.tgz
tar -C /tmp/npm -czf "$archive" package
cat >/srv/npm/corpus-left <<JSON
{"name": "corpus-left", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "corpus-left", "version": "1.0.0",
 "hasInstallScript": true, "dist": {"tarball": "http://mirror/npm/-/corpus-left-1.0.0.tgz",
 "shasum": "$(sha1sum "$archive" | cut -d' ' -f1)"}}}}
JSON

cat >/etc/nginx/nginx.conf <<'NGINX'
events {}
http {
    default_type application/octet-stream;
    server {
        listen 80;
        root /srv;
        autoindex on;
        location /npm/corpus- { default_type application/json; }
        location /pip/ { types { text/html html; } }
    }
}
NGINX
exec nginx -g 'daemon off;'
