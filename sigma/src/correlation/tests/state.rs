//! What is not known yet, what ends, what is taken over, and what is forgotten.

use super::{Bench, correlation, load, rules};
use crate::{Engine, Stats};

const COUNT: &str =
    "type: event_count\nrules: a\ngroup-by: [ContainerId]\ntimespan: 10s\ncondition: {gte: 2}";

fn fed(text: &str, lines: &[&str]) -> Bench {
    let mut bench = Bench::new(text);
    lines.iter().for_each(|line| bench.feed(line));
    bench
}

#[test]
fn an_event_is_joined_when_its_value_is_known_and_only_once() {
    let other = "type: event_count\nrules: a\ntimespan: 10s\ncondition: {gte: 2}";
    let text = rules(&["a"]) + &correlation("by", COUNT) + &correlation("all", other);
    let mut bench = fed(&text, &["1s a ContainerId~", "2s a ContainerId=c/9"]);
    assert_eq!(bench.told.len(), 1, "the one that does not ask for the container");
    assert_eq!(bench.open.len(), 1);
    let (line, open) = bench.open.pop().unwrap();
    assert_eq!(bench.engine.rule(open[0]).unwrap().title, "by");
    bench.feed_only(&line, Some(&open));
    let (line, open) = bench.open.pop().expect("still not known, still open");
    bench.feed_only(&line.replace('~', "=c/9"), Some(&open));
    assert_eq!(bench.told.len(), 2);
    assert_eq!((bench.told[1].matches, bench.told[1].repeats), (2, 0));
    assert!(bench.open.is_empty());
}

/// One rule's match is joined at once, the other's waits; when it is known, both are fed.
#[test]
fn an_event_that_was_joined_in_part_is_not_joined_twice() {
    let text = rules(&["a"])
        + &rules(&["b"]).replace("Image: b", "Image: a")
        + &correlation(
            "x",
            "type: temporal\nrules: [a, b]\ngroup-by: [who]\ntimespan: 10s\n\
             aliases: {who: {a: User, b: ContainerId}}",
        );
    let mut bench = fed(&text, &["1s a User=c ContainerId~"]);
    assert_eq!((bench.told.len(), bench.stats().entries), (0, 1));
    let (line, open) = bench.open.pop().unwrap();
    bench.feed_only(&line.replace('~', "=c"), Some(&open));
    assert_eq!((bench.told.len(), bench.told[0].matches), (1, 2));
}

#[test]
fn a_measured_value_may_be_open_too() {
    let text = rules(&["a"])
        + &correlation("x", "type: value_sum\nrules: a\ntimespan: 10s\ncondition: {field: BytesSent, gt: 5}");
    let mut bench = fed(&text, &["1s a BytesSent~"]);
    let (line, open) = bench.open.pop().unwrap();
    bench.feed_only(&line.replace('~', "=#6"), Some(&open));
    assert_eq!(bench.told.len(), 1);
}

#[test]
fn groups_end_with_their_owners() {
    let text = rules(&["a"])
        + &correlation(
            "x",
            "type: event_count\nrules: a\ngroup-by: [ProcessId, ContainerId]\ntimespan: 10s\ncondition: {lte: 9}",
        );
    let event = "1s a ProcessId=#4/7 ContainerId=c/9";
    for (lines, groups, alerts) in [
        (vec![event], 1, 1),
        (vec![event, "exit 7"], 0, 0),
        (vec![event, "gone 9"], 0, 0),
        (vec![event, "exit 9"], 1, 1),
        (vec![event, "1s a ProcessId=#5/8 ContainerId=c/9", "exit 7"], 1, 1),
        (vec![event, "1s a ProcessId=#5/8 ContainerId=c/9", "gone 9"], 0, 0),
    ] {
        let mut bench = fed(&text, &lines);
        assert_eq!(bench.stats().groups, groups, "{lines:?}");
        bench.feed("due 40s");
        assert_eq!(bench.told.len(), alerts, "{lines:?}: also a window that waits for its decision ends");
    }
}

#[test]
fn groups_that_are_over_are_forgotten() {
    let text = rules(&["a", "b"])
        + &correlation("x", COUNT)
        + &correlation("y", "type: event_count\nrules: b\ntimespan: 10s\ncondition: {lte: 9}");
    let mut bench = fed(&text, &["1s a ContainerId=c/9", "2s b"]);
    assert_eq!((bench.stats().groups, bench.stats().entries), (2, 2));
    bench.feed("due 80s");
    bench.feed("due 90s");
    assert_eq!(bench.stats(), Stats::default());
    assert_eq!(bench.told.len(), 1);
}

#[test]
fn a_match_beyond_the_tolerance_is_left_out_and_counted() {
    let text = rules(&["a"]) + &correlation("x", COUNT);
    let bench =
        fed(&text, &["30s a ContainerId=c/9", "15s a ContainerId=d/8", "14s+999999999 a ContainerId=d/8"]);
    assert_eq!((bench.stats().late, bench.stats().entries, bench.told.len()), (1, 2, 0));
    // What is in time is in time whatever came in between.
    let bench = fed(&text, &["30s a ContainerId=c/9", "15s a ContainerId=d/8", "25s a ContainerId=d/8"]);
    assert_eq!((bench.stats().late, bench.told.len()), (0, 1));
}

#[test]
fn windows_go_on_in_another_rule_set() {
    let by_a = "type: event_count\nrules: a\ntimespan: 10s\ncondition: {gte: 2}";
    let by_b = "type: event_count\nrules: b\ntimespan: 10s\ncondition: {gte: 2}";
    let outer = "type: temporal\nrules: [inner, b]\ntimespan: 10s";
    let inner = "type: event_count\nrules: a\ntimespan: 10s\ncondition: {gte: 1}";
    let old = rules(&["a", "b"])
        + &correlation("ca", by_a)
        + &correlation("cb", by_b)
        + &correlation("outer", outer)
        + &correlation("inner", inner);
    for (name, new, expected) in [
        ("the same", old.clone(), vec!["ca", "cb", "inner", "outer"]),
        (
            "in another order, with others",
            rules(&["z"])
                + &correlation("inner", inner)
                + &correlation("outer", outer)
                + &rules(&["b", "a"])
                + &correlation("cb", by_b)
                + &correlation("ca", by_a),
            vec!["ca", "cb", "inner", "outer"],
        ),
        ("a rule changed", old.replace("Image: b", "Image: b*"), vec!["ca", "inner"]),
        ("a correlation changed that another one reads", old.replace("gte: 1", "gt: 0"), vec!["ca", "cb"]),
        ("one is gone", rules(&["a"]) + &correlation("ca", by_a), vec!["ca"]),
    ] {
        // `inner` and `outer` come true at once, and are quiet. The others have one match of two.
        let mut bench = fed(&old, &["1s a", "1s b"]);
        bench.told.clear();
        let set = load(&new).unwrap();
        bench.correlator.adopt(bench.engine.set(), &set);
        bench.engine = Engine::new(set);
        let title = |rule| bench.engine.rule(rule).unwrap().title.clone();
        let mut kept: Vec<String> = bench.correlator.grouped(bench.engine.set()).map(title).collect();
        kept.sort();
        assert_eq!(kept, expected, "{name}");
        assert_eq!(bench.stats().groups, expected.len(), "{name}");
        ["2s a", "2s b"].iter().for_each(|line| bench.feed(line));
        let told =
            |title: &str| bench.told.iter().any(|told| bench.engine.rule(told.rule).unwrap().title == title);
        for counted in ["ca", "cb"] {
            assert_eq!(told(counted), expected.contains(&counted), "{name}: {counted}");
        }
        assert_eq!(
            told("outer"),
            !expected.contains(&"outer") && !expected.contains(&"inner") && new.contains("outer"),
            "{name}"
        );
    }
}
