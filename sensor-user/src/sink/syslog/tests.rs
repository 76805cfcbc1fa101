//! The sink against receivers that come late, die, or are the real thing.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram};
use tokio::time::sleep;

use super::*;
use crate::alert::Message;
use crate::outbox::Opened;
use crate::sink::sample::{self, Log, PATIENCE, free_port, soon};
use crate::sink::{self, SinkSet, Target};

mod proof;
mod journal;
mod relp;
mod rsyslog;
mod speed;
pub(in crate::sink) mod tls;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn start(target: &str) -> SinkSet {
    start_at(target.parse().unwrap())
}

fn start_at(target: SyslogTarget) -> SinkSet {
    let targets = [Target::Syslog { receiver: target.into(), facility: Facility::default() }];
    let kept = Opened::in_memory(sink::kept(&targets));
    SinkSet::start(&targets, &Arc::new(sample::origin()), Some(kept)).unwrap()
}

fn numbered(sequence: u64) -> Arc<Message> {
    let mut alert = sample::alert();
    alert.sequence = sequence;
    Arc::new(Message::Alert(Box::new(alert)))
}

fn sequence(frame: &str) -> u64 {
    let json = frame.find('{').expect("a document");
    let document: Value = serde_json::from_str(&frame[json..]).expect("valid JSON");
    document["event"]["sequence"].as_u64().unwrap()
}

/// Reads one octet-counted frame.
async fn read_counted(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut length = 0_usize;
    loop {
        match stream.read_u8().await.unwrap() {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.unwrap();
    String::from_utf8(frame).unwrap()
}

#[tokio::test]
async fn tcp_waits_for_a_receiver_that_comes_late() {
    let port = free_port().await;
    let (log, _guard) = Log::start();
    let set = start(&format!("tcp://127.0.0.1:{port}"));
    for number in 1..=3 {
        set.deliver(&numbered(number));
    }
    soon("a refusal", log.holds("is away")).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let (mut stream, _) = soon("a connection", listener.accept()).await.unwrap();
    for number in 1..=3 {
        let frame = soon("a frame", read_counted(&mut stream)).await;
        assert!(frame.starts_with("<83>1 "), "{frame}");
        assert_eq!(sequence(&frame), number);
    }
    let closing = tokio::spawn(set.flush(PATIENCE));
    assert_eq!(soon("the end", stream.read(&mut [0; 1])).await.unwrap(), 0);
    drop(stream);
    assert_eq!(soon("the flush", closing).await.unwrap(), []);
    assert_eq!((log.count("is away"), log.count("is back after")), (1, 1), "{log:?}");
}

/// What the first receiver took and never stored arrives at the second, in order.
#[tokio::test]
async fn tcp_sends_again_what_a_dead_receiver_may_have_lost() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let set = start(&format!("tcp://{}", listener.local_addr().unwrap()));
    set.deliver(&numbered(1));
    let (mut first, _) = soon("a connection", listener.accept()).await.unwrap();
    assert_eq!(sequence(&soon("a frame", read_counted(&mut first)).await), 1);
    drop(first);
    set.deliver(&numbered(2));

    let (mut second, _) = soon("another connection", listener.accept()).await.unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        let sequence = sequence(&soon("a frame", read_counted(&mut second)).await);
        assert!(seen.is_empty() || sequence >= *seen.last().unwrap(), "out of order");
        seen.insert(sequence);
    }
    drop(second);
    drop(listener);
}

#[tokio::test]
async fn udp_sends_again_what_was_refused() {
    let free = UdpSocket::bind(LOOPBACK).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (log, _guard) = Log::start();
    let set = start(&format!("udp://{address}"));
    set.deliver(&numbered(1));
    set.deliver(&numbered(2));
    soon("a refusal", log.holds("is away")).await;
    let receiver = UdpSocket::bind(address).await.unwrap();
    let mut seen = BTreeSet::new();
    let mut buffer = vec![0; 65_536];
    while seen.len() < 2 {
        let length = soon("a datagram", receiver.recv(&mut buffer)).await.unwrap();
        seen.insert(sequence(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!((log.count("is away"), log.count("is back after")), (1, 1), "{log:?}");
}

#[tokio::test]
async fn the_local_socket_gets_the_older_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let set = start(&format!("unix://{}", path.display()));
    set.deliver(&Arc::new(Message::Alert(Box::new(sample::hostile()))));
    let mut buffer = vec![0; 65_536];
    let length = soon("a datagram", receiver.recv(&mut buffer)).await.unwrap();
    let frame = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(length <= FRAME_MAX);
    assert!(frame.starts_with("<83>Nov 21 "), "{frame}");
    assert!(frame.contains(" tidewaiter[77]: {"), "{frame}");
    assert_eq!(sequence(frame), 7);

    // The daemon restarts: another socket under the same name.
    drop(receiver);
    std::fs::remove_file(&path).unwrap();
    let receiver = UnixDatagram::bind(&path).unwrap();
    set.deliver(&numbered(8));
    let length = soon("a datagram", receiver.recv(&mut buffer)).await.unwrap();
    assert_eq!(sequence(std::str::from_utf8(&buffer[..length]).unwrap()), 8);
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

/// More than the memory takes, to a receiver that is never there: each is lost and counted, or left and counted.
#[tokio::test]
async fn a_receiver_that_stays_away_costs_counted_messages_and_no_time() {
    const MESSAGES: u64 = 10_000;
    let port = free_port().await;
    let set = start(&format!("tcp://127.0.0.1:{port}"));
    let mut lost = 0;
    for number in 1..=MESSAGES {
        set.deliver(&numbered(number));
        if number % 500 == 0 {
            // The thread that encodes gets a chance to keep up.
            sleep(Duration::from_millis(20)).await;
            let losses = set.losses();
            assert!(losses.iter().all(|loss| loss.what == format!("syslog tcp://127.0.0.1:{port}")));
            lost += losses.iter().map(|loss| loss.count).sum::<u64>();
        }
    }
    let deadline = Duration::from_secs(2);
    let left = soon("the flush", set.flush(deadline)).await;
    assert!(left.iter().any(|loss| loss.reason == "unconfirmed when the agent ended"), "{left:?}");
    let left: u64 = left.iter().map(|loss| loss.count).sum();
    assert_eq!(lost + left, MESSAGES);
    assert!(lost > 0, "the memory is bounded");
}

#[tokio::test]
async fn an_absent_receiver_delays_no_end_when_nothing_waits() {
    let port = free_port().await;
    let (log, _guard) = Log::start();
    let set = start(&format!("tcp://127.0.0.1:{port}"));
    soon("a refusal", log.holds("is away")).await;
    let begun = Instant::now();
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert!(begun.elapsed() < PATIENCE / 2);
}
