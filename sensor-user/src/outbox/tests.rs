//! The outbox whole: threads, files, readers, and what happens when any of them is cut off.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::sink::sample;

mod crash;
mod damage;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const BOUND: u64 = 4 << 20;

pub(super) fn names(sinks: &[&str]) -> Vec<String> {
    sinks.iter().map(|sink| (*sink).to_owned()).collect()
}

/// An outbox in this folder, and the numbers of its messages begin here.
pub(super) fn open(directory: &Path, bound: u64, sinks: &[&str]) -> Outbox {
    let place = Place { directory: directory.to_owned(), bound, runtime: directory.with_extension("run") };
    Opened::read(&place, names(sinks)).unwrap().start(Arc::new(sample::origin())).unwrap()
}

pub(super) fn message(sequence: u64, level: sigma::Level) -> Arc<Message> {
    let mut alert = sample::alert();
    (alert.sequence, alert.level) = (sequence, level);
    Arc::new(Message::Alert(Box::new(alert)))
}

pub(super) fn deliver(outbox: &Outbox, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| outbox.deliver(&message(number, sigma::Level::Medium)));
}

/// Everything that a sink gets from an outbox that is closed, confirmed.
pub(super) async fn drain(reader: &mut Reader) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(envelope) = timeout(PATIENCE, reader.next()).await.expect("it hangs") {
        numbers.push(envelope.sequence);
        reader.confirm(1);
    }
    numbers
}

async fn take(reader: &mut Reader, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(timeout(PATIENCE, reader.next()).await.expect("it hangs").expect("closed").sequence);
    }
    numbers
}

fn lost(outbox: Outbox) -> Vec<(String, u64, &'static str)> {
    outbox.finish().into_iter().map(|loss| (loss.what, loss.count, loss.reason)).collect()
}

#[tokio::test]
async fn every_sink_gets_everything_at_its_own_pace() {
    let folder = TempDir::new().unwrap();
    let mut outbox = open(folder.path(), BOUND, &["fast", "slow"]);
    let [mut fast, mut slow]: [Reader; 2] = outbox.readers().collect::<Vec<_>>().try_into().unwrap();
    deliver(&outbox, 1..=100);
    assert_eq!(take(&mut fast, 100).await, (1..=100).collect::<Vec<_>>());
    fast.confirm(100);
    assert_eq!((fast.backlog(), slow.backlog()), (0, 100));
    outbox.close();
    assert_eq!(drain(&mut slow).await, (1..=100).collect::<Vec<_>>());
    assert_eq!(lost(outbox), []);
}

#[tokio::test]
async fn what_was_not_confirmed_comes_again_after_a_broken_link_and_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let outbox = open(folder.path(), BOUND, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    deliver(&outbox, 1..=10);
    assert_eq!(take(&mut reader, 6).await, [1, 2, 3, 4, 5, 6]);
    reader.confirm(2);
    reader.rewind();
    assert_eq!(take(&mut reader, 3).await, [3, 4, 5]);
    reader.confirm(1);
    let before = message_bytes(&mut reader, 3).await;
    drop(reader);
    assert_eq!(lost(outbox), [], "what is on the disk is not lost");

    let mut outbox = open(folder.path(), BOUND, &["a"]);
    assert_eq!(outbox.last(), 10);
    let mut reader = outbox.readers().next().unwrap();
    let again = message_bytes(&mut reader, 3).await;
    assert_eq!(again, before, "the same to the byte");
    deliver(&outbox, 11..=12);
    outbox.close();
    reader.rewind();
    assert_eq!(drain(&mut reader).await, (4..=12).collect::<Vec<_>>());
    assert_eq!(lost(outbox), []);
}

/// The message of this number as the next to come after what was confirmed.
async fn message_bytes(reader: &mut Reader, confirmed: u64) -> Envelope {
    reader.rewind();
    let envelope = timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
    assert_eq!(envelope.sequence, confirmed + 1);
    Envelope::clone(&envelope)
}

#[tokio::test]
async fn the_agent_keeps_its_id_and_its_numbers() {
    let folder = TempDir::new().unwrap();
    let place = Place {
        directory: folder.path().to_owned(),
        bound: BOUND,
        runtime: folder.path().with_extension("run"),
    };
    let first = Opened::read(&place, names(&["a"])).unwrap();
    let agent = first.agent();
    assert!(matches!(Opened::read(&place, names(&["a"])), Err(OutboxError::Taken { .. })));
    drop(first);
    let outbox = open(folder.path(), BOUND, &["a"]);
    deliver(&outbox, 1..=3);
    drop(outbox.finish());
    let second = Opened::read(&place, names(&["a"])).unwrap();
    assert_eq!(second.agent(), agent);
    assert_eq!(second.start(Arc::new(sample::origin())).unwrap().last(), 3);
}

#[tokio::test]
async fn a_full_folder_gives_up_the_lowest_level_first_and_counts_for_each_sink() {
    let folder = TempDir::new().unwrap();
    let bound = 1 << 20;
    let mut outbox = open(folder.path(), bound, &["away"]);
    let mut reader = outbox.readers().next().unwrap();
    let size = encoded_size();
    // Three times what fits; every tenth is critical, which all fit.
    let count = 3 * bound / size;
    for number in 1..=count {
        let level = if number % 10 == 0 { sigma::Level::Critical } else { sigma::Level::Low };
        outbox.deliver(&message(number, level));
        while number > outbox.published() + 500 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    while outbox.published() < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    outbox.close();
    let got = drain(&mut reader).await;
    let critical: BTreeSet<u64> = (1..=count).filter(|number| number % 10 == 0).collect();
    let missing: Vec<_> = critical.iter().filter(|number| !got.contains(number)).collect();
    assert!(missing.is_empty(), "critical ones were given up: {missing:?}");
    assert!(got.len() as u64 * size < bound, "{} are too many for the folder", got.len());
    assert_eq!(lost(outbox), [("away".to_owned(), count - got.len() as u64, "outbox full")]);
    let bytes: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= bound + 16_384, "{bytes} bytes are in the folder");
}

fn encoded_size() -> u64 {
    let envelope = crate::sink::encode::encode(&message(1, sigma::Level::Low), &sample::origin());
    envelope.size() as u64
}

#[tokio::test]
async fn segments_that_all_have_are_taken_away() {
    let folder = TempDir::new().unwrap();
    let mut outbox = open(folder.path(), 1 << 20, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    for number in 1..=900 {
        deliver(&outbox, [number]);
        assert_eq!(take(&mut reader, 1).await, [number]);
        reader.confirm(1);
    }
    outbox.close();
    assert!(drain(&mut reader).await.is_empty());
    assert_eq!(lost(outbox), []);
    let segments = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().len() == 16);
    assert!(segments.count() <= 1);
}

#[tokio::test]
async fn without_a_folder_messages_are_in_memory_and_what_is_left_is_counted() {
    let outbox = Opened::in_memory(names(&["a"])).start(Arc::new(sample::origin())).unwrap();
    let mut reader = outbox.readers().next().unwrap();
    deliver(&outbox, 1..=5);
    assert_eq!(take(&mut reader, 5).await, [1, 2, 3, 4, 5]);
    reader.confirm(3);
    assert_eq!(lost(outbox), [("a".to_owned(), 2, "unconfirmed when the agent ended")]);
}

/// How fast messages pass: encoded, synchronised, read and framed. Run it in a release build:
/// `cargo test --release -p sensor-user --lib outbox::tests::speed -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures; 5,000 a second is the goal on one core"]
async fn speed() {
    const MESSAGES: u64 = 50_000;
    let folder = TempDir::new().unwrap();
    let mut outbox = open(folder.path(), 1 << 30, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    let begun = std::time::Instant::now();
    for number in 1..=MESSAGES {
        deliver(&outbox, [number]);
        while number > outbox.published() + 500 {
            tokio::task::yield_now().await;
        }
    }
    while outbox.published() < MESSAGES {
        tokio::task::yield_now().await;
    }
    let kept = begun.elapsed();
    outbox.close();
    let begun = std::time::Instant::now();
    let mut bytes = 0;
    while let Some(envelope) = timeout(PATIENCE, reader.next()).await.expect("it hangs") {
        bytes += envelope.header.len() + envelope.body().len();
        reader.confirm(1);
    }
    let drained = begun.elapsed();
    let rate = |time: Duration| MESSAGES as f64 / time.as_secs_f64();
    println!("kept {:.0} a second, drained {:.0} a second, {bytes} bytes", rate(kept), rate(drained));
}

impl Outbox {
    /// The last number that sinks can see.
    pub(crate) fn published(&self) -> u64 {
        self.shared.state().index.published
    }

    fn unstored(&self) -> usize {
        self.shared.state().index.unstored()
    }
}

/// What receivers have seen under a number is not another message under the same number after a restart, though the disk
/// never heard of it; and what they have not seen is told.
#[tokio::test]
async fn numbers_that_the_disk_refused_are_not_given_again() {
    let folder = TempDir::new().unwrap();
    let outbox = open(folder.path(), BOUND, &["a", "b"]);
    let mut readers: Vec<Reader> = outbox.readers().collect();
    deliver(&outbox, 1..=2);
    for reader in &mut readers {
        assert_eq!(take(reader, 2).await, [1, 2]);
        reader.confirm(2);
    }
    assert_eq!(lost(outbox), []);
    let mut outbox = open(folder.path(), BOUND, &["a", "b"]);
    let mut readers: Vec<Reader> = outbox.readers().collect();
    let away = folder.path().with_extension("away");
    std::fs::rename(folder.path(), &away).unwrap();
    deliver(&outbox, 3..=5);
    assert_eq!(take(&mut readers[0], 3).await, [3, 4, 5]);
    readers[0].confirm(3);
    outbox.close();
    assert_eq!(lost(outbox), [("b".to_owned(), 3, "unconfirmed when the agent ended")]);
    std::fs::rename(&away, folder.path()).unwrap();

    let outbox = open(folder.path(), BOUND, &["a", "b"]);
    assert_eq!(outbox.last(), 5);
    let told: Vec<_> = outbox.losses().into_iter().map(|loss| (loss.what, loss.count, loss.reason)).collect();
    assert_eq!(told, [("b".to_owned(), 3, "missing on the disk")]);
    deliver(&outbox, [6]);
    assert_eq!(take(&mut outbox.readers().next().unwrap(), 1).await, [6]);
    assert_eq!(lost(outbox), []);
    let runtime = folder.path().with_extension("run");
    assert_eq!(std::fs::read_dir(runtime).unwrap().count(), 0, "the disk knows it all");
}

/// A folder that is gone stands for a disk that refuses; `tests/live` has one that is full.
#[tokio::test]
async fn a_disk_that_refuses_stops_nothing_and_is_used_again_when_it_takes_writes() {
    let folder = TempDir::new().unwrap();
    let mut outbox = open(folder.path(), BOUND, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    let away = folder.path().with_extension("away");
    std::fs::rename(folder.path(), &away).unwrap();
    deliver(&outbox, 1..=4);
    assert_eq!(take(&mut reader, 4).await, [1, 2, 3, 4], "they go out all the same");
    assert!(outbox.unstored() > 0);
    std::fs::rename(&away, folder.path()).unwrap();
    let begun = std::time::Instant::now();
    while outbox.unstored() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "not in use within ten seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(reader);
    outbox.close();
    assert_eq!(lost(outbox), []);
    let mut outbox = open(folder.path(), BOUND, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    outbox.close();
    assert_eq!(drain(&mut reader).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_message_that_the_queue_had_no_room_for_is_no_damage_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let outbox = open(folder.path(), BOUND, &["a"]);
    // 3 never came: the agent had counted it.
    deliver(&outbox, [1, 2, 4]);
    assert_eq!(lost(outbox), []);
    let mut outbox = open(folder.path(), BOUND, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    outbox.close();
    assert_eq!(drain(&mut reader).await, [1, 2, 4]);
    assert_eq!(lost(outbox), []);
}
