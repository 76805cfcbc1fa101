//! Who answers anything but Kafka, or sends this host elsewhere.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::sink::kafka::wire::Writer;

/// Answers each request of each connection with the next of these bodies; the connection ends with the last one.
async fn broker(answers: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in &answers {
                let Ok(length) = stream.read_i32().await else { break };
                let mut request = vec![0; usize::try_from(length).unwrap()];
                if stream.read_exact(&mut request).await.is_err() {
                    break;
                }
                let answer = Writer::default().raw(&request[4..8]).raw(answer).into_bytes();
                let _ = stream.write_all(&Writer::default().bytes(&answer).into_bytes()).await;
            }
        }
    });
    port
}

fn versions() -> Vec<u8> {
    let known = [(0, 8), (3, 4), (17, 1), (18, 0), (22, 1), (36, 1)];
    let answer = Writer::default().int16(0).int32(6);
    known.into_iter().fold(answer, |answer, (api, last)| answer.int16(api).int16(0).int16(last)).into_bytes()
}

/// One broker of this name leads the only partition.
fn metadata(host: &str, port: i32) -> Vec<u8> {
    let answer = Writer::default().int32(0).int32(1).int32(1).string(host).int32(port).null_string();
    let answer = answer.null_string().int32(1).int32(1).int16(0).string(TOPIC).boolean(false).int32(1);
    answer.int16(0).int32(0).int32(1).int32(0).int32(0).into_bytes()
}

async fn is_told(entry: &str, reason: &str) {
    let (log, _guard) = Log::start();
    let set = start(&[kafka(entry)]);
    set.deliver(&numbered(1));
    soon(&format!("{reason} in {log:?}"), log.holds(reason)).await;
    assert_eq!(set.outstanding()[0].outstanding, 1);
}

#[tokio::test]
async fn answers_that_are_none_of_kafkas_are_told_as_that() {
    let old = Writer::default().int16(0).int32(1).int16(0).int16(0).int16(2).into_bytes();
    for (answers, reason) in [
        (vec![], "it closed the connection instead of an answer: write kafkas://"),
        (vec![vec![]], "it speaks no Kafka (its answer makes no sense)"),
        (vec![vec![0x7f; 64]], "it speaks no Kafka (its answer makes no sense)"),
        (vec![old], "it knows no version of Metadata"),
        (vec![versions(), vec![0; 3]], "it speaks no Kafka (its answer makes no sense)"),
        (vec![versions(), metadata("", 9092)], "mend advertised.listeners"),
        (
            vec![versions(), metadata("evil\u{1b}[2J host", 9092)],
            "it names evil\\x1b[2J host:9092 as the place",
        ),
        (vec![versions(), metadata("h", 99_999)], "its answer makes no sense"),
    ] {
        let port = broker(answers).await;
        is_told(&format!("kafka://127.0.0.1:{port}/{TOPIC}"), reason).await;
    }
}

/// A server of another protocol: its first four bytes are a length that nobody means.
#[tokio::test]
async fn text_is_told_as_no_kafka() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    is_told(&format!("kafka://127.0.0.1:{port}/{TOPIC}"), "it answers with 1213486160 bytes at once").await;
}

/// PLAIN is for loopback here, and stays there: a leader elsewhere gets no password.
#[tokio::test]
async fn a_password_does_not_follow_a_leader_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "s3cret").unwrap();
    let handshake = Writer::default().int16(0).int32(1).string("PLAIN").into_bytes();
    let accepted = Writer::default().int16(0).null_string().bytes(b"").int64(0).into_bytes();
    let port = broker(vec![versions(), handshake, accepted, metadata("192.0.2.1", 9092)]).await;
    let entry = format!(
        "{{url: \"kafka://127.0.0.1:{port}/{TOPIC}\", user: u, password_file: {}, mechanism: plain}}",
        path.display()
    );
    is_told(&entry, "the broker 192.0.2.1:9092 would get the password in the clear").await;
}
