//! The agent is ended at named places, and started again: nothing that was accepted is gone.
//!
//! The child is this test program itself, with `TIDEWAITER_CRASH` set.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

/// Every place that has a name, and how often each is hit: a different write each time.
const POINTS: [&str; 14] = [
    "locked",
    "scanned",
    "segment made",
    "before write",
    "part written",
    "written",
    "synced",
    "head written",
    "draft made",
    "draft synced",
    "draft renamed",
    "before removal",
    "removed",
    "published",
];
const TIMES: u32 = 10;
/// Says that this process is the child, and where it works.
const FOLDER: &str = "TIDEWAITER_CRASH_FOLDER";
/// Small, so that segments are rewritten and removed.
const SMALL: u64 = 1 << 20;
const MESSAGES: u64 = 400;

/// The child: gives messages one after the other, and writes the number of each that a sink saw (it was on the disk
/// then) to standard output. All but the last few are confirmed.
#[tokio::test]
async fn child() {
    const UNCONFIRMED: usize = 10;
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let outbox = open(Path::new(&folder), SMALL, &["a"]);
    let mut reader = outbox.readers().next().unwrap();
    let first = outbox.last() + 1;
    let mut out = std::io::stdout().lock();
    let mut unconfirmed = 0_usize;
    for number in first..first + MESSAGES {
        let level = if number % 2 == 0 { sigma::Level::Critical } else { sigma::Level::Low };
        outbox.deliver(&message(number, level));
        // A slow receiver: it takes a few now and then, so that the folder fills up.
        if number % 20 != 0 {
            continue;
        }
        while outbox.published() < number {
            tokio::task::yield_now().await;
        }
        for _ in 0..UNCONFIRMED {
            // The newest may be all that the bound leaves.
            let Ok(envelope) = timeout(Duration::from_millis(20), reader.next()).await else { break };
            let envelope = envelope.unwrap();
            writeln!(out, "seen {}", envelope.sequence).unwrap();
            unconfirmed += 1;
        }
        if let Some(count @ 1..) = unconfirmed.checked_sub(UNCONFIRMED) {
            // Said first: it may be the last word.
            writeln!(out, "confirmed {count}").unwrap();
            reader.confirm(count);
            unconfirmed -= count;
        }
        drop(outbox.losses());
    }
    writeln!(out, "end").unwrap();
}

/// Runs the child in this folder until it ends or is ended; what it said, and whether it was ended.
fn run(folder: &Path, crash: &str) -> (Vec<String>, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outbox::tests::crash::child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env("TIDEWAITER_CRASH", crash)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    (lines, !child.wait().unwrap().success())
}

#[tokio::test]
async fn nothing_that_was_accepted_is_gone_wherever_the_agent_is_ended() {
    let mut hits = 0;
    for point in POINTS {
        for time in 1..=TIMES {
            let folder = TempDir::new().unwrap();
            // What a run before left is there for `scanned` and the like.
            let (_, ended) = run(folder.path(), "none:0");
            assert!(!ended, "the child ends well by itself");
            let place = format!("{point}:{time}");
            let (said, ended) = run(folder.path(), &place);
            let once = ["locked", "scanned"].contains(&point);
            if !ended && once && time > 1 {
                continue;
            }
            assert!(ended, "{place} was not reached");
            hits += 1;
            check(folder.path(), &said, &place).await;
        }
    }
    assert!(hits >= 12 * u64::from(TIMES), "{hits} hits");
    println!("{} places, ended {hits} times, nothing lost", POINTS.len());
}

/// Every number that the child saw and did not confirm, and did not tell as lost, comes again.
async fn check(folder: &Path, said: &[String], place: &str) {
    let numbers = |word: &str| -> Vec<u64> {
        said.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    };
    let (seen, confirmed) = (numbers("seen "), numbers("confirmed ").iter().sum::<u64>());
    let begun = std::time::Instant::now();
    let mut outbox = open(folder, SMALL, &["a"]);
    assert!(begun.elapsed() < Duration::from_secs(2), "{place}: up after {:?}", begun.elapsed());
    let mut reader = outbox.readers().next().unwrap();
    outbox.close();
    let again: BTreeSet<u64> = drain(&mut reader).await.into_iter().collect();
    let at_risk: Vec<u64> = seen.iter().skip(usize::try_from(confirmed).unwrap()).copied().collect();
    let gone: Vec<_> = at_risk.iter().filter(|number| !again.contains(number)).collect();
    assert!(gone.is_empty(), "{place}: seen, not confirmed and gone: {gone:?}");
    // What never got to the disk is counted, and nothing else.
    let last = outbox.last();
    let never = (1..=last).filter(|number| !again.contains(number) && !seen.contains(number)).count() as u64;
    let missing: u64 = lost(outbox).into_iter().map(|loss| loss.1).sum();
    assert!(missing <= never, "{place}: {missing} are said to be missing, and {never} were never seen");
}
