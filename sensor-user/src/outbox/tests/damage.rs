//! Files of the folder are damaged at random: what is intact is delivered, and what is not is counted to the message.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::super::record::{Record, scan};
use super::*;

/// Damages by default; `TIDEWAITER_DAMAGES` asks for another number.
const DAMAGES: u32 = 500;
const MESSAGES: u64 = 60;

/// What is done to one file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Cut,
    Zero,
    Insert,
    Remove,
}

/// A folder with messages that nobody has, in several segments.
async fn made() -> TempDir {
    let folder = TempDir::new().unwrap();
    let outbox = open(folder.path(), 256 << 10, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    for number in 1..=MESSAGES {
        deliver(&outbox, [number]);
        assert_eq!(take(&mut reader, 1).await, [number]);
    }
    // Two are confirmed, so that a cursor is there.
    reader.confirm(2);
    drop(reader);
    assert_eq!(lost(outbox), []);
    folder
}

/// Numbers of the messages whose records are whole.
fn intact(folder: &Path) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if file.file_name().len() == 16 {
            let bytes = fs::read(file.path()).unwrap();
            numbers.extend(scan(&bytes).filter_map(|found| match found.record {
                Record::Envelope(envelope) => Some(envelope.sequence),
                Record::Gone(_) => None,
            }));
        }
    }
    numbers
}

fn copy(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    to
}

fn damage(folder: &Path, random: &mut impl FnMut(u64) -> u64) -> (String, Damage) {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let path = files[usize::try_from(random(files.len() as u64)).unwrap()].clone();
    let all = [Damage::Flip, Damage::Cut, Damage::Zero, Damage::Insert, Damage::Remove];
    let damage = all[usize::try_from(random(5)).unwrap()];
    let mut bytes = fs::read(&path).unwrap();
    let at = usize::try_from(random(bytes.len().max(1) as u64)).unwrap();
    match damage {
        Damage::Remove => fs::remove_file(&path).unwrap(),
        Damage::Cut => fs::File::options().write(true).open(&path).unwrap().set_len(at as u64).unwrap(),
        Damage::Flip if !bytes.is_empty() => {
            let byte = bytes[at] ^ (1 << random(8));
            fs::File::options().write(true).open(&path).unwrap().write_all_at(&[byte], at as u64).unwrap();
        }
        Damage::Zero => {
            let end = (at + 512).min(bytes.len());
            bytes[at..end].fill(0);
            fs::write(&path, bytes).unwrap();
        }
        Damage::Flip | Damage::Insert => {
            let junk: Vec<u8> = (0..random(300)).map(|_| u8::try_from(random(256)).unwrap()).collect();
            bytes.splice(at..at, junk);
            fs::write(&path, bytes).unwrap();
        }
    }
    (path.file_name().unwrap().to_string_lossy().into_owned(), damage)
}

#[tokio::test]
async fn what_is_intact_is_delivered_and_the_rest_counted() {
    let count = std::env::var("TIDEWAITER_DAMAGES").map_or(DAMAGES, |count| count.parse().unwrap());
    let whole = made().await;
    // Xorshift: the same damages each time, so that a failure can be had again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let (mut lost_in_all, mut slowest) = (0, Duration::ZERO);
    for number in 0..count {
        let folder = copy(whole.path());
        let done: Vec<_> = (0..=below(2)).map(|_| damage(folder.path(), &mut below)).collect();
        let expected = intact(folder.path());
        let begun = std::time::Instant::now();
        let mut outbox = open(folder.path(), 256 << 10, &["a"]);
        slowest = slowest.max(begun.elapsed());
        let mut reader = outbox.readers().next().unwrap();
        outbox.close();
        let got: BTreeSet<u64> = drain(&mut reader).await.into_iter().collect();
        let lost: u64 = lost(outbox).into_iter().map(|loss| loss.1).sum();
        // Whoever has no cursor gets all there is; with it, what was confirmed is not sent again.
        let unconfirmed: BTreeSet<u64> = expected.iter().copied().filter(|number| *number > 2).collect();
        assert!(got == expected || got == unconfirmed, "{number}: {done:?}: got {got:?} of {expected:?}");
        if knows_all(folder.path(), &done) {
            let missing = MESSAGES - 2 - unconfirmed.len() as u64;
            assert_eq!(lost, missing, "{number}: {done:?}: delivered {got:?}");
        }
        lost_in_all += lost;
    }
    assert!(slowest < Duration::from_secs(2), "up after {slowest:?}");
    println!("{count} damages, {lost_in_all} messages lost and told, slowest start {slowest:?}");
}

/// How many there were is known unless the very files are damaged that say so.
fn knows_all(_: &Path, done: &[(String, Damage)]) -> bool {
    done.iter().all(|(name, _)| name != "head" && !name.starts_with("cursor."))
}
