//! What the engine counts of its rules, and what of it lasts when they are replaced.

use std::cell::Cell;

use super::{TestRecord, engine, load, rule};
use crate::{Cost, Matches, RuleIndex};

thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });

/// A clock that goes on by 10 with every look.
fn ticks() -> u64 {
    NOW.replace(NOW.get() + 10)
}

fn titled(title: &str, image: &str) -> String {
    rule(&format!("s: {{Image: {image}}}\ncondition: s")).replace("title: Test", &format!("title: {title}"))
}

const FILTER: &str =
    "title: Site\nlogsource: {product: linux}\nfilter: {rules: any, s: {User: root}, condition: s}\n";

#[test]
fn runs_matches_and_what_was_kept_back_are_counted_by_rule() {
    let written = [titled("One", "a"), titled("Two", "b"), FILTER.to_owned()].join("---\n");
    let mut engine = engine(&written).with_clock(ticks);
    let records = [&["Image=a"][..], &["Image=a", "User=root"], &["Image=b"], &["Image~"], &["Image=c"]];
    let mut found = Matches::default();
    for record in records {
        engine.evaluate(&TestRecord::parse(record.iter().copied()), &mut found);
    }
    let counts = |cost: &Cost| (cost.runs, cost.matches, cost.suppressed);
    // The pending field makes both rules run.
    assert_eq!(engine.costs().iter().map(counts).collect::<Vec<_>>(), [(3, 1, 1), (2, 1, 0)]);
    assert_eq!(counts(&engine.scan_cost()), (5, 2, 1));
    for _ in 0..10_000 {
        engine.evaluate(&TestRecord::parse(["Image=a"]), &mut found);
    }
    let (one, two, scan) = (engine.costs()[0], engine.costs()[1], engine.scan_cost());
    assert_eq!((one.time, scan.time), (one.sampled * 640, scan.sampled * 640), "one tick each, for 64");
    assert!((100..250).contains(&one.sampled), "{one:?}");
    assert!(two.sampled <= 2, "{two:?}");
}

#[test]
fn a_rule_that_is_written_the_same_keeps_its_costs() {
    let twin = titled("Twin", "a");
    let before = [titled("One", "a"), titled("Two", "a"), twin.clone(), twin.clone()].join("---\n");
    // The comment moves lines only; `Two` asks something else now; one of the twins is gone; `New` comes first.
    let after = [titled("New", "a"), twin, titled("Two", "z"), format!("# moved\n{}", titled("One", "a"))];
    let (mut engine, new) = (engine(&before), load(&after.join("---\n")).unwrap());
    let successors = (0..5).map(|index| engine.set().successor(RuleIndex(index), &new)).collect::<Vec<_>>();
    assert_eq!(successors, [Some(RuleIndex(3)), None, Some(RuleIndex(1)), None, None]);
    let mut found = Matches::default();
    engine.evaluate(&TestRecord::parse(["Image=a"]), &mut found);
    let old = engine.replace(new);
    assert_eq!((old.rules().len(), engine.rules().len()), (4, 4));
    assert_eq!(engine.costs().iter().map(|cost| cost.matches).collect::<Vec<_>>(), [0, 1, 0, 1]);
    engine.evaluate(&TestRecord::parse(["Image=z"]), &mut found);
    assert_eq!(engine.costs().iter().map(|cost| cost.matches).collect::<Vec<_>>(), [0, 1, 1, 1]);
}
