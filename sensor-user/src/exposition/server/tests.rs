//! The server against clients that behave and such that do not.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;

use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::control::ASKS_MAX;
use crate::sink::sample;

const PATIENCE: Duration = Duration::from_secs(20);

/// A loop that answers, or one that does not.
fn whom(does_answer: bool) -> (mpsc::Sender<Ask>, Arc<Pulse>) {
    let (asks, mut asked) = mpsc::channel(ASKS_MAX);
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        while let Some(ask) = asked.recv().await {
            match ask {
                Ask::Snapshot(reply) if does_answer => _ = reply.send(Box::new(sample::snapshot())),
                other @ (Ask::Picture(_) | Ask::Rules(_) | Ask::Suppressed(_) | Ask::Snapshot(_)) => {
                    unanswered.push(other);
                }
            }
        }
    });
    let pulse = Arc::new(Pulse::default());
    pulse.turned(crate::host::boot_time());
    pulse.attached.store(30, Ordering::Relaxed);
    (asks, pulse)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

async fn tcp(does_answer: bool) -> (Server, Arc<Pulse>, SocketAddr) {
    let (asks, pulse) = whom(does_answer);
    let server = Server::at_address((Ipv4Addr::LOCALHOST, 0).into(), asks, Arc::clone(&pulse)).unwrap();
    let address = server.address().unwrap();
    (server, pulse, address)
}

#[tokio::test]
async fn a_scrape_has_head_and_body_and_the_socket_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/metrics.sock");
    let (asks, pulse) = whom(true);
    let server = Server::at_socket(&path, asks, pulse).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let answer = exchange(UnixStream::connect(&path).await.unwrap(), &get("/metrics")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert_eq!(body, text::render(&sample::snapshot()));
    let head = exchange(UnixStream::connect(&path).await.unwrap(), b"HEAD /metrics HTTP/1.0\r\n\r\n").await;
    assert!(head.ends_with("\r\n\r\n") && head.contains(&format!("Content-Length: {}", body.len())));
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn probes_are_answered_without_the_loop() {
    let (_server, pulse, address) = tcp(false).await;
    let ask = async |path: &str| exchange(TcpStream::connect(address).await.unwrap(), &get(path)).await;
    assert!(ask("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/readyz").await.starts_with("HTTP/1.1 200"));
    pulse.blind.store(2, Ordering::Relaxed);
    let detached = ask("/readyz").await;
    assert!(detached.starts_with("HTTP/1.1 503") && detached.contains("2 programs"), "{detached}");
    assert!(ask("/healthz").await.starts_with("HTTP/1.1 200"), "it lives");
    pulse.turned(crate::host::boot_time() - 2 * STILL_MAX);
    let still = ask("/healthz").await;
    assert!(still.starts_with("HTTP/1.1 503") && still.contains("has not turned for 2"), "{still}");
}

#[tokio::test]
async fn a_loop_that_does_not_answer_is_told_as_that() {
    let (_server, _, address) = tcp(false).await;
    let answer = exchange(TcpStream::connect(address).await.unwrap(), &get("/metrics")).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable"), "{answer}");
}

#[tokio::test]
async fn what_is_refused_gets_its_status() {
    let (_server, _, address) = tcp(true).await;
    let long = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 2 * HEAD_MAX]].concat();
    for (request, status) in [
        (b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), "405 Method Not Allowed"),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found"),
        (b"hello\r\n\r\n", "400 Bad Request"),
        (long.get(..HEAD_MAX).unwrap(), "431 Request Header Fields Too Large"),
    ] {
        let answer = exchange(TcpStream::connect(address).await.unwrap(), request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(answer.contains("Allow: GET, HEAD"), status.starts_with("405"));
    }
}

#[tokio::test]
async fn the_silent_keep_nobody_out_for_long() {
    let (_server, _, address) = tcp(true).await;
    let mut silent = Vec::new();
    for _ in 0..2 * CLIENTS_MAX {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let answer = exchange(TcpStream::connect(address).await.unwrap(), &get("/metrics")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let given_up = exchange(silent.remove(0), b"").await;
    assert!(given_up.starts_with("HTTP/1.1 408"), "{given_up}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let (_server, _, address) = tcp(true).await;
    let (asks, pulse) = whom(true);
    let error = Server::at_address(address, asks, pulse).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen at {address}: ")), "{error}");
}
