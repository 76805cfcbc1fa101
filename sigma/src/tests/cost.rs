//! What the engine counts of its rules, and what of it lasts when they are replaced.

use std::cell::Cell;

use super::{Sysmon, TestRecord, engine, load, rule};
use crate::{
    Cost, FieldId, Lifetime, LogSourceId, Matches, Owner, Presence, Record, RuleIndex, Taxonomy, Value,
};

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

/// A record that tells which of its fields were read.
struct Watched<'a>(&'a TestRecord, std::cell::RefCell<Vec<FieldId>>);

impl Record for Watched<'_> {
    fn log_source(&self) -> LogSourceId {
        self.0.log_source()
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        self.1.borrow_mut().push(field);
        self.0.visit(field, each)
    }
}

/// Reading costs the most: a field is read once, if a rule of the log source can be true by it, or a candidate asks.
/// A keyword's message is every field at once.
#[test]
fn only_fields_that_matter_are_read() {
    let by_image = rule("s: {Image: a}\nf: {User: root}\ncondition: s and not f");
    let by_keyword = rule("k: [mark]\ncondition: k");
    let elsewhere = by_keyword.replace("process_creation", "file_event");
    for (rules, image, expected) in [
        (vec![&by_image], "Image=b", &["Image"][..]),
        (vec![&by_image], "Image=a", &["Image", "User"]),
        (vec![&by_image, &by_image], "Image=a", &["Image", "User"]),
        (vec![&by_image, &elsewhere], "Image=b", &["Image"]),
        (vec![&by_image, &by_keyword], "Image=b", &["Image", "message"]),
    ] {
        let documents: Vec<&str> = rules.into_iter().map(String::as_str).collect();
        let mut engine = engine(&documents.join("---\n"));
        let record = TestRecord::parse([image, "User=x", "CommandLine=y"]);
        let watched = Watched(&record, std::cell::RefCell::default());
        engine.evaluate(&watched, &mut Matches::default());
        let name =
            |field: &str| if field == "message" { FieldId::MESSAGE } else { Sysmon.field(field).unwrap() };
        let expected: Vec<FieldId> = expected.iter().map(|field| name(field)).collect();
        assert_eq!(watched.1.into_inner(), expected, "{image} {documents:?}");
    }
}
