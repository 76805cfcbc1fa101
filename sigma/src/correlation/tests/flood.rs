//! What floods cost: bounded, counted, and never the whole memory.

use super::{Bench, Event, correlation, rules};
use crate::correlation::limit::{ENTRIES_MAX, GROUP_ENTRIES_MAX, GROUPS_MAX, STEPS_MAX};
use crate::{Joined, RuleIndex};

/// Feeds matches of rule `a` past the engine, with handles that can be counted.
fn flood(bench: &mut Bench, lines: impl Iterator<Item = String>) {
    let mut joined = Joined::default();
    for line in lines {
        let event = Event::parse(&line);
        bench.correlator.feed(bench.engine.set(), &event, &[RuleIndex(0)], None, &line, &mut joined);
    }
    bench.told.append(&mut joined.correlated);
}

fn bench(lines: &str) -> Bench {
    Bench::new(&(rules(&["a", "b"]) + &correlation("x", lines)))
}

#[test]
fn distinct_values_drive_out_the_oldest_group_and_are_counted() {
    let mut bench = bench("type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 2}");
    let count = GROUPS_MAX + 1_000;
    flood(&mut bench, (0..count).map(|user| format!("{}s a User=u{user}", user / 1_000)));
    let stats = bench.stats();
    assert_eq!((stats.groups, stats.entries), (GROUPS_MAX, GROUPS_MAX));
    assert_eq!((stats.evicted_groups, stats.evicted_entries), (1_000, 1_000));
    // The newest are there, the oldest are not.
    flood(&mut bench, [count - 1, 0].into_iter().map(|user| format!("20s a User=u{user}")));
    assert_eq!(bench.told.len(), 1);
}

#[test]
fn a_group_in_use_outlives_a_flood() {
    let mut bench =
        bench("type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 5000}");
    let each = |at: usize| [format!("{}s a User=u{at}", at / 1_000), format!("{}s a User=it", at / 1_000)];
    flood(&mut bench, (0..4_000).flat_map(each));
    flood(&mut bench, (4_000..4_000 + GROUPS_MAX * 2).map(|at| format!("9s a User=u{at}")).step_by(4));
    flood(&mut bench, (0..1_000).map(|_| "10s a User=it".to_owned()));
    assert_eq!(bench.told.len(), 1, "five thousand matches of one that was never the oldest");
}

#[test]
fn many_matches_of_many_groups_are_bounded() {
    let mut bench =
        bench("type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 7000}");
    let lines = (0..GROUP_ENTRIES_MAX / 2 * 40).map(|at| format!("{}s a User=u{}", at / 10_000, at % 40));
    flood(&mut bench, lines);
    let stats = bench.stats();
    assert!(stats.entries <= ENTRIES_MAX, "{stats:?}");
    assert!(stats.evicted_groups > 0 && stats.evicted_entries > 0, "{stats:?}");
}

/// The sum of more matches than a group keeps is right to a thousandth of the timespan.
#[test]
fn a_sum_outgrows_its_group() {
    let mut bench =
        bench("type: value_sum\nrules: a\ntimespan: 1h\ncondition: {field: BytesSent, gte: 100000}");
    flood(&mut bench, (0..100_000).map(|at| format!("{}s+{} a BytesSent=#1", at / 30, at)));
    assert_eq!(bench.told.len(), 1);
    assert!(
        (bench.told[0].value, bench.told[0].matches) == (100_000.0, 100_000),
        "{:?}",
        bench.told[0].value
    );
    assert_eq!(bench.stats().evicted_entries, 0);
}

/// A flood of one rule does not drive out the one match of another.
#[test]
fn a_flood_does_not_hide_the_other_step() {
    for (kind, last) in [("temporal", "3000s b"), ("temporal_ordered", "3000s b")] {
        let mut bench = bench(
            &format!("type: {kind}\nrules: [c, a, b]\ntimespan: 1h")
                .replace("[c, a, b]", "[b, a]")
                .replace("temporal_ordered\nrules: [b, a]", "temporal_ordered\nrules: [a, b]"),
        );
        flood(&mut bench, (0..50_000).map(|at| format!("{}s+{at} a", at / 20)));
        assert!(bench.stats().entries <= GROUP_ENTRIES_MAX);
        assert_eq!(bench.stats().evicted_entries, 0, "{kind}");
        bench.feed(last);
        assert_eq!(bench.told.len(), 1, "{kind}");
        assert_eq!(bench.told[0].matches, 50_001, "{kind}");
    }
}

#[test]
fn repeated_destinations_do_not_hide_the_different_ones() {
    let mut bench =
        bench("type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: DestinationIp, gte: 3}");
    bench.feed("0s a DestinationIp=@10.0.0.1");
    flood(&mut bench, (0..50_000).map(|at| format!("{}s+{at} a DestinationIp=@10.0.0.2", at / 20)));
    bench.feed("3000s a DestinationIp=@10.0.0.3");
    assert_eq!((bench.told.len(), bench.stats().evicted_entries), (1, 0));
}

/// In a window that is only decided in the end the newest are left out, and its beginning stays.
#[test]
fn a_full_window_stays_what_it_is() {
    let mut bench =
        bench("type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: BytesSent, lte: 5}");
    let over = 10_000;
    flood(&mut bench, (0..GROUP_ENTRIES_MAX + over).map(|at| format!("{}s a BytesSent=#5", at / 100)));
    assert_eq!(bench.stats().entries, GROUP_ENTRIES_MAX);
    assert_eq!(bench.stats().evicted_entries, u64::try_from(over).unwrap());
    bench.feed("due 4000s");
    assert_eq!((bench.told.len(), bench.stats().entries), (1, 0));
    flood(&mut bench, ["4001s a BytesSent=#5".to_owned()].into_iter());
    assert_eq!(bench.stats().entries, 1, "and the next one has room again");
}

#[test]
fn kept_events_are_bounded() {
    let mut bench =
        bench("type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 100}");
    flood(&mut bench, (0..STEPS_MAX * 3).map(|at| format!("{}s a User=u{}", at / 1_000, at % 1_500)));
    let kept = bench.correlator.kept_events();
    assert!((STEPS_MAX / 2..=STEPS_MAX).contains(&kept), "{kept}");
    // What was let go is missing in the alert, and nothing else is.
    flood(&mut bench, (0..100).map(|_| "13s a User=u1".to_owned()));
    assert_eq!((bench.told.len(), bench.told[0].steps.len(), bench.told[0].matches), (1, 8, 100));
}
