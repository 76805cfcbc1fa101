#!/bin/sh
# Fetches a line over TLS into a file.
# Needs: openssl
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

need openssl
command -v openssl >/dev/null || lack "openssl on this machine"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$stage/key" -out "$stage/certificate" -subj /CN=stub -days 1 2>/dev/null
stub '
import selectors, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
listeners, port = listen()
ready = selectors.DefaultSelector()
for listener in listeners:
    ready.register(listener, selectors.EVENT_READ)
print(port, flush=True)
while True:
    for key, _ in ready.select():
        peer, _ = key.fileobj.accept()
        try:
            with context.wrap_socket(peer, server_side=True) as channel:
                channel.sendall(b"tool\n")
        except OSError:
            pass
' "$stage/certificate" "$stage/key"
inside sh -c "openssl s_client -quiet -connect $remote:$port >$there/tool 2>/dev/null" </dev/null || :
