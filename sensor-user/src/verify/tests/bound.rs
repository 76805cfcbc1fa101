//! Any order gives the same, and no log takes more room than it may.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// A log with all that may be in one: two agents, runs, gaps, duplicates, losses, other programs' lines.
fn mixed() -> Vec<String> {
    let (one, other) = (agent(1, 1), agent(2, 1));
    let again = agent(1, 2);
    let mut log: Vec<String> =
        (1..30).filter(|number| number % 7 != 0).map(|number| alert(&one, number)).collect();
    log.push(line(&one, 30, sample::loss()));
    log.push(stopped(&one, 31));
    log.extend((32..40).map(|number| heartbeat(&again, number)));
    log.extend((5..20).map(|number| alert(&other, number)));
    log.push(stopped(&other, 20));
    log.extend([alert(&one, 3), alert(&other, 9), alert(&other, 9)]);
    log.push("Nov 22 11:00:00 node-1 sshd[99]: hello".to_owned());
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_of_lines_does_not_matter(shuffled in Just(mixed()).prop_shuffle()) {
        let told = json::encode(&verify(&shuffled));
        prop_assert_eq!(told, json::encode(&verify(&mixed())));
    }

    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 0..4000_usize) {
        let mut log = alert(&agent(1, 1), 1).into_bytes();
        log.truncate(cut);
        log.extend(bytes);
        let mut verifier = Verifier::new(false);
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        if verifier.read("log", &log[..]).is_ok() {
            prop_assert!(verifier.lines >= lines as u64);
            let counted = verifier.documents + verifier.foreign + verifier.damaged.count;
            prop_assert_eq!(counted, verifier.lines);
        }
    }
}

fn bounded(bounds: Bounds, lines: impl Iterator<Item = String>) -> Report {
    let mut verifier = Verifier::bounded(false, bounds);
    for line in lines {
        verifier.read("log", line.as_bytes()).unwrap();
    }
    let held: usize = verifier.logs.iter().map(AgentLog::ranges).sum();
    assert!(held <= bounds.ranges && verifier.logs.len() <= bounds.agents);
    verifier.finish().unwrap()
}

#[test]
fn beyond_the_bounds_messages_are_counted_and_nothing_is_called_complete() {
    let bounds = Bounds { agents: 2, ranges: 5, blocks: 1, runs: 2, losses: 1 };
    let agents = bounded(bounds, (1..=4).map(|id| alert(&agent(id, 1), 1)));
    assert_eq!((agents.agents.len(), agents.unplaced, agents.complete), (2, 2, false));

    let one = agent(1, 1);
    let holes = bounded(bounds, (1..=10).map(|number| alert(&one, number * 2)));
    assert_eq!((only(&holes).received, holes.unplaced), (5, 5));
    assert!(!holes.complete);

    let runs = bounded(bounds, (1..=4).map(|run| alert(&agent(1, u128::from(run)), run)));
    assert_eq!((only(&runs).run_count, only(&runs).of_other_runs, runs.complete), (2, 2, true));

    let losses = bounded(bounds, std::iter::once(line(&one, 1, sample::loss())));
    assert_eq!((only(&losses).losses.len(), only(&losses).other_losses), (1, 3));

    // One block of 64 numbers: what came before it is not told apart any more.
    let late = bounded(bounds, (1..=200).chain([1, 200]).map(|number| alert(&one, number)));
    assert_eq!((only(&late).unjudged, only(&late).duplicates, late.complete), (1, 1, true));
}

#[test]
fn without_room_what_joins_is_taken_and_the_rest_makes_it_undecided() {
    let bounds = Bounds { ranges: 1, ..Bounds::default() };
    let one = agent(1, 1);
    let report = bounded(bounds, [1, 2, 9, 3].into_iter().map(|number| alert(&one, number)));
    let agent = only(&report);
    assert_eq!((agent.verdict, agent.last, report.unplaced), (Verdict::Undecided, 3, 1));
}

#[test]
fn a_line_of_braces_takes_no_time() {
    /// Far more than it takes, far less than its square would.
    const TIME_MAX: Duration = Duration::from_secs(20);
    let began = Instant::now();
    for unit in ["{", "{\"a\":", "[{\"a\":[", "{\"a\":1}", "\\\"{"] {
        let line = format!("tidewaiter {}", unit.repeat(1 << 17));
        let mut verifier = Verifier::new(false);
        verifier.read("log", line.as_bytes()).unwrap();
        assert_eq!((verifier.foreign, verifier.lines), (1, 1));
    }
    assert!(began.elapsed() < TIME_MAX, "{:?}", began.elapsed());
}
