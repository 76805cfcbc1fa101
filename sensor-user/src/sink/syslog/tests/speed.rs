//! How fast messages get from the agent's loop through the outbox to a receiver over TCP.

use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::outbox::Place;

const MESSAGES: u64 = 30_000;

/// Reads frames in a thread of its own, and counts the messages.
fn receiver(listener: std::net::TcpListener, count: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = io::BufReader::with_capacity(1 << 20, stream.unwrap());
            let mut length = Vec::new();
            let mut frame = Vec::new();
            loop {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                if byte[0] != b' ' {
                    length.push(byte[0]);
                    continue;
                }
                frame.resize(std::str::from_utf8(&length).unwrap().parse().unwrap(), 0);
                length.clear();
                stream.read_exact(&mut frame).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// Run it in a release build, on one core if that is asked for:
/// `taskset -c 0 cargo test --release -p sensor-user --lib syslog::tests::speed -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures; 5,000 a second is the goal on one core, the receiver included"]
async fn speed() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().await;
    let target = format!("tcp://127.0.0.1:{port}");
    let receives = target.parse::<SyslogTarget>().unwrap().into();
    let targets = [Target::Syslog { receiver: receives, facility: Facility::default() }];
    let begin = || {
        let place =
            Place { directory: folder.path().to_owned(), bound: 1 << 30, runtime: folder.path().join("run") };
        let kept = Opened::read(&place, sink::kept(&targets)).unwrap();
        SinkSet::start(&targets, &Arc::new(sample::origin()), Some(kept)).unwrap()
    };
    // With nobody there: it gathers.
    let set = begin();
    give(&set, 1).await;
    assert!(set.flush(Duration::from_millis(1)).await.is_empty());
    let count = Arc::new(AtomicU64::new(0));
    let arrive = |until: u64| {
        let count = Arc::clone(&count);
        async move {
            while count.load(Ordering::Relaxed) < until {
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    receiver(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap(), Arc::clone(&count));
    let begun = Instant::now();
    let set = begin();
    arrive(MESSAGES).await;
    let drained = begun.elapsed();
    let begun = Instant::now();
    give(&set, MESSAGES + 1).await;
    arrive(2 * MESSAGES).await;
    let passed = begun.elapsed();
    let rate = |time: Duration| MESSAGES as f64 / time.as_secs_f64();
    println!(
        "a backlog drains at {:.0} a second, new ones pass at {:.0} a second",
        rate(drained),
        rate(passed)
    );
}

/// Hands over messages, as fast as they are kept.
async fn give(set: &SinkSet, first: u64) {
    for number in first..first + MESSAGES {
        set.deliver(&numbered(number));
        while number > set.kept_up_to() + 500 {
            tokio::task::yield_now().await;
        }
    }
    while set.kept_up_to() < first + MESSAGES - 1 {
        tokio::task::yield_now().await;
    }
}
