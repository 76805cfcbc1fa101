//! What proves that a receiver of a stream has read, and what does not.

use std::sync::Mutex;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// A receiver that reads every connection to its end, until all are cut.
struct Flapping {
    listener: TcpListener,
    seen: Arc<Mutex<BTreeSet<u64>>>,
}

impl Flapping {
    async fn start() -> (Self, SinkSet) {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let set = start(&format!("tcp://{}", listener.local_addr().unwrap()));
        (Self { listener, seen: Arc::default() }, set)
    }

    /// Lives for so long, then every connection is reset or closed at once.
    async fn live(&self, life: Duration) {
        let end = Instant::now() + life;
        let mut connections = Vec::new();
        while let Ok(accepted) = tokio::time::timeout_at(end, self.listener.accept()).await {
            connections.push(tokio::spawn(read(accepted.unwrap().0, Arc::clone(&self.seen))));
        }
        connections.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Reads frames to the end of the connection, and closes it then.
async fn read(mut stream: TcpStream, seen: Arc<Mutex<BTreeSet<u64>>>) {
    let mut byte = [0];
    while stream.peek(&mut byte).await.is_ok_and(|count| count > 0) {
        let number = sequence(&read_counted(&mut stream).await);
        seen.lock().unwrap().insert(number);
    }
}

fn outstanding(set: &SinkSet) -> u64 {
    set.outstanding().iter().map(|backlog| backlog.outstanding).sum()
}

async fn outstanding_are(count: u64, set: &SinkSet) {
    while outstanding(set) != count {
        sleep(Duration::from_millis(5)).await;
    }
}

/// No connection stands for long, and still nothing is kept for ever.
#[tokio::test]
async fn a_receiver_that_flaps_is_done_with_what_it_read() {
    let (receiver, set) = Flapping::start().await;
    receiver.live(Duration::from_millis(300)).await;
    for number in 1..=20 {
        set.deliver(&numbered(number));
    }
    soon("the messages in the outbox", outstanding_are(20, &set)).await;
    let done = async {
        tokio::select! {
            () = outstanding_are(0, &set) => {}
            () = async { loop { receiver.live(Duration::from_millis(1500)).await } } => {}
        }
    };
    soon("everything confirmed", done).await;
    assert_eq!(*receiver.seen.lock().unwrap(), (1..=20).collect());
    assert_eq!(set.losses(), []);
}

/// It closed, but so did everything else of it: it may have died with what it had just read.
#[tokio::test]
async fn the_last_breath_of_a_receiver_proves_nothing() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let set = start(&format!("tcp://{}", listener.local_addr().unwrap()));
    // A broken link first: proofs come early then.
    drop(soon("a connection", listener.accept()).await.unwrap());
    let (mut older, _) = soon("a connection", listener.accept()).await.unwrap();
    set.deliver(&numbered(1));
    assert_eq!(sequence(&soon("a frame", read_counted(&mut older)).await), 1);
    let (newer, _) = soon("a newer connection", listener.accept()).await.unwrap();
    assert_eq!(soon("the end of the older", older.read(&mut [0; 1])).await.unwrap(), 0);
    drop(older);
    drop(newer);
    let (mut third, _) = soon("a third connection", listener.accept()).await.unwrap();
    assert_eq!(sequence(&soon("the frame again", read_counted(&mut third)).await), 1);
    assert_eq!(outstanding(&set), 1);
}

/// What is written while the older connection is read comes after it.
#[tokio::test]
async fn the_newer_connection_waits_for_the_older_one() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let set = start(&format!("tcp://{}", listener.local_addr().unwrap()));
    drop(soon("a connection", listener.accept()).await.unwrap());
    let (mut older, _) = soon("a connection", listener.accept()).await.unwrap();
    set.deliver(&numbered(1));
    let (mut newer, _) = soon("a newer connection", listener.accept()).await.unwrap();
    set.deliver(&numbered(2));
    let early = timeout(Duration::from_millis(300), newer.read_u8()).await;
    assert!(early.is_err(), "the older one was not read yet");
    assert_eq!(sequence(&soon("a frame", read_counted(&mut older)).await), 1);
    assert_eq!(soon("the end of the older", older.read(&mut [0; 1])).await.unwrap(), 0);
    drop(older);
    assert_eq!(sequence(&soon("a frame", read_counted(&mut newer)).await), 2);
    soon("the proof", outstanding_are(1, &set)).await;
}

/// One that does not end its side holds up the newer connection for a moment only.
#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_nothing_up() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let set = start(&format!("tcp://{}", listener.local_addr().unwrap()));
    drop(soon("a connection", listener.accept()).await.unwrap());
    let (mut older, _) = soon("a connection", listener.accept()).await.unwrap();
    set.deliver(&numbered(1));
    assert_eq!(sequence(&soon("a frame", read_counted(&mut older)).await), 1);
    let (mut newer, _) = soon("a newer connection", listener.accept()).await.unwrap();
    set.deliver(&numbered(2));
    assert_eq!(sequence(&soon("the turn of the newer", read_counted(&mut newer)).await), 2);
    assert_eq!(outstanding(&set), 2);
}
