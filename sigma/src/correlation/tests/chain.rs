//! Correlations of correlations, and which rules are told by themselves.

use super::{Bench, correlation, load, rules, told};

const MANY: &str = "type: event_count\nrules: [failed]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 3}";
const THEN: &str = "type: temporal_ordered\nrules: [many, success]\ngroup-by: [User]\ntimespan: 20s";

/// After the specification's "Failed Logins Followed by Successful Login"; the outer one stands first there, too.
fn logins() -> String {
    correlation("guessed", THEN) + &correlation("many", MANY) + &rules(&["failed", "success"])
}

#[test]
fn failed_logins_then_a_successful_one() {
    let failed = ["1s failed User=x", "2s failed User=x", "3s failed User=x"];
    let with = |more: &[&'static str]| [&failed[..], more].concat();
    for (lines, expected) in [
        (with(&["4s success User=x"]), vec!["guessed 2 at 4s"]),
        (with(&["23s success User=x"]), vec!["guessed 2 at 23s"]),
        (with(&["23s+1 success User=x"]), vec![]),
        (with(&["4s success User=y"]), vec![]),
        (vec![failed[0], failed[1], "4s success User=x"], vec![]),
        (vec![failed[0], failed[2], "4s success User=x", failed[1]], vec!["guessed 2 at 4s"]),
        (vec!["2s success User=x", failed[0], failed[1], failed[2]], vec![]),
    ] {
        assert_eq!(told(&logins(), &lines), expected, "{lines:?}");
    }
}

#[test]
fn rules_of_a_correlation_are_told_only_if_it_says_so() {
    let reports = |text: &str| -> Vec<(String, bool)> {
        let set = load(text).unwrap();
        set.rules().iter().map(|rule| (rule.title.clone(), rule.reports)).collect()
    };
    let told = |names: &[(&str, bool)]| -> Vec<(String, bool)> {
        names.iter().map(|(name, told)| ((*name).to_owned(), *told)).collect()
    };
    assert_eq!(
        reports(&logins()),
        told(&[("guessed", true), ("many", false), ("failed", false), ("success", false)])
    );
    let inside = correlation("guessed", &format!("{THEN}\ngenerate: true")) + &correlation("many", MANY);
    assert_eq!(
        reports(&(inside + &rules(&["failed", "success"]))),
        told(&[("guessed", true), ("many", true), ("failed", false), ("success", true)])
    );
    let beside = correlation("many", MANY).replace("---\n", "generate: true\n---\n") + &rules(&["failed"]);
    assert_eq!(reports(&beside), told(&[("many", true), ("failed", true)]));
    // One that wants them told is heard, whatever another one says.
    let both = correlation("many", &format!("{MANY}\ngenerate: true"))
        + &correlation("more", &format!("{MANY}\ngenerate: false"))
        + &rules(&["failed"]);
    assert_eq!(reports(&both), told(&[("many", true), ("more", true), ("failed", true)]));
}

#[test]
fn a_correlation_that_is_told_itself_is_told_before_the_one_that_reads_it() {
    let text = correlation("guessed", &format!("{THEN}\ngenerate: true"))
        + &correlation("many", MANY)
        + &rules(&["failed", "success"]);
    let lines = ["1s failed User=x", "2s failed User=x", "3s failed User=x", "4s success User=x"];
    assert_eq!(told(&text, &lines), ["many 3 at 3s", "guessed 2 at 4s"]);
}

/// How many users were attacked: the inner group's values are there even when no record is.
#[test]
fn windows_decided_in_the_end_feed_others() {
    let text = correlation(
        "quiet",
        "type: event_count\nrules: [failed]\ngroup-by: [User]\ntimespan: 10s\ncondition: {lte: 2}",
    ) + &correlation(
        "spread",
        "type: value_count\nrules: [quiet]\ntimespan: 60s\ncondition: {field: User, gte: 2}",
    ) + &rules(&["failed"]);
    let lines = ["1s failed User=x", "2s failed User=y", "due 26s+1", "due 27s+1"];
    assert_eq!(told(&text, &lines[..3]), [""; 0]);
    assert_eq!(told(&text, &lines), ["spread 2 at 12s"]);
    // A window behind windows waits until those below it can have told.
    let text = text.replace("field: User, gte: 2", "field: User, lt: 3");
    assert_eq!(told(&text, &["1s failed User=x", "2s failed User=y", "due 28s", "due 91s"]), [""; 0]);
    let all = ["1s failed User=x", "2s failed User=y", "due 28s", "due 107s"];
    assert_eq!(told(&text, &all), ["spread 2 at 12s"]);
}

#[test]
fn an_outer_group_takes_the_alias_and_the_owner_of_the_inner_one() {
    let text = correlation(
        "twice",
        "type: temporal\nrules: [inner, b]\ngroup-by: [who]\ntimespan: 60s\naliases: {who: {b: ProcessId}}",
    ) + &correlation(
        "inner",
        "type: event_count\nrules: [a]\ngroup-by: [who]\ntimespan: 10s\ncondition: {gte: 2}\naliases: {who: {a: ProcessId}}",
    ) + &rules(&["a", "b"]);
    let inner = ["1s a ProcessId=#4/1", "2s a ProcessId=#4/1"];
    assert_eq!(told(&text, &[inner[0], inner[1], "3s b ProcessId=#4/1"]), ["twice 2 at 3s"]);
    assert_eq!(told(&text, &[inner[0], inner[1], "3s b ProcessId=#4/2"]), [""; 0]);
    assert_eq!(told(&text, &[inner[0], inner[1], "exit 1", "3s b ProcessId=#4/1"]), [""; 0]);
}

/// At the end of all records everything is decided, also what only that makes decidable.
#[test]
fn the_end_of_time_decides_everything() {
    let few = |name: &str, of: &str| {
        let lines =
            format!("type: event_count\nrules: {of}\ngroup-by: [User]\ntimespan: 1h\ncondition: {{lte: 2}}");
        correlation(name, &format!("{lines}\ngenerate: true"))
    };
    let then = "type: temporal_ordered\nrules: [failed, two]\ngroup-by: [User]\ntimespan: 1d";
    let text = few("three", "two")
        + &few("two", "one")
        + &few("one", "failed")
        + &correlation("then", then)
        + &rules(&["failed"]);
    let mut bench = Bench::new(&text);
    bench.feed("1s failed User=x");
    bench.feed("due 18446744073s+709551615");
    let mut told: Vec<String> =
        bench.told.iter().map(|told| bench.engine.rule(told.rule).unwrap().title.clone()).collect();
    told.sort();
    assert_eq!(told, ["one", "then", "three", "two"]);
}

/// The inner one comes true, but the outer one groups by what the record does not have yet.
#[test]
fn a_chained_match_waits_for_its_record() {
    let text = correlation(
        "outer",
        "type: event_count\nrules: [many]\ngroup-by: [ContainerId]\ntimespan: 60s\ncondition: {gte: 1}",
    ) + &correlation("many", MANY)
        + &rules(&["failed"]);
    let mut bench = Bench::new(&text);
    ["1s failed User=x", "2s failed User=x", "3s failed User=x ContainerId~"]
        .iter()
        .for_each(|line| bench.feed(line));
    assert!(bench.told.is_empty());
    let (line, open) = bench.open.pop().unwrap();
    let known = line.replace('~', "=c/9");
    bench.feed_only(&known, Some(&open));
    bench.feed_only(&known, Some(&open));
    assert_eq!(bench.told.len(), 1, "told once, however often it is fed");
    assert_eq!(bench.told[0].group, [("ContainerId".to_owned(), Some("c".to_owned()))]);
}
