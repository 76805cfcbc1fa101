//! Every type, every kind of bound, aliases, groups, and when a group tells again.

use super::{Bench, correlation, load, rules, told};

#[test]
fn bounds_that_are_decided_in_the_end() {
    // Windows of ten seconds; decided fifteen seconds behind their end.
    let lines: Vec<String> = ["1s", "2s", "3s"]
        .into_iter()
        .zip([5, 1, 9])
        .map(|(at, bytes)| format!("{at} a BytesSent=#{bytes} User=u{bytes}"))
        .collect();
    for (kind, condition, expected) in [
        ("event_count", "{lt: 4}", Some("x 3 at 3s")),
        ("event_count", "{lt: 3}", None),
        ("event_count", "{lte: 3}", Some("x 3 at 3s")),
        ("event_count", "{lte: 2}", None),
        ("event_count", "{eq: 3}", Some("x 3 at 3s")),
        ("event_count", "{eq: 2}", None),
        ("event_count", "{neq: 2}", Some("x 3 at 3s")),
        ("event_count", "{neq: 3}", None),
        ("event_count", "{gt: 2, lte: 5}", Some("x 3 at 3s")),
        ("event_count", "{gt: 3, lte: 5}", None),
        ("value_count", "{field: User, eq: 3}", Some("x 3 at 3s")),
        ("value_count", "{field: [User, BytesSent], lt: 4}", Some("x 3 at 3s")),
        ("value_sum", "{field: BytesSent, lt: 16}", Some("x 15 at 3s")),
        ("value_sum", "{field: BytesSent, lt: 15}", None),
        ("value_avg", "{field: BytesSent, gt: 4.9}", Some("x 5 at 3s")),
        ("value_avg", "{field: BytesSent, gte: 5}", Some("x 5 at 3s")),
        ("value_avg", "{field: BytesSent, gt: 5}", None),
        ("value_percentile", "{field: BytesSent, lte: 5}", Some("x 5 at 3s")),
        ("value_percentile", "{field: BytesSent, percentile: 50, lt: 5}", None),
        ("value_percentile", "{field: BytesSent, percentile: 95, gte: 9}", Some("x 9 at 3s")),
        ("value_percentile", "{field: BytesSent, percentile: 33, gte: 0}", Some("x 1 at 3s")),
    ] {
        let text = rules(&["a"])
            + &correlation("x", &format!("type: {kind}\nrules: a\ntimespan: 10s\ncondition: {condition}"));
        let mut bench = Bench::new(&text);
        lines.iter().for_each(|line| bench.feed(line));
        bench.feed("due 26s");
        assert!(bench.told.is_empty(), "{kind} {condition}: told before its time");
        let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
        all.push("due 26s+1");
        assert_eq!(told(&text, &all), Vec::from_iter(expected), "{kind} {condition}");
    }
}

#[test]
fn windows_that_are_decided_in_the_end_follow_each_other() {
    let text = rules(&["a"])
        + &correlation("few", "type: event_count\nrules: a\ntimespan: 10s\ncondition: {lte: 2}");
    // The first window has three, the second, which the match behind it opens, two.
    let lines = ["1s a", "11s a", "12s a", "22s a", "5s a", "due 26s+1", "due 40s"];
    let late = "5s a: later than fifteen seconds";
    let mut bench = Bench::new(&text);
    lines.iter().for_each(|line| bench.feed(line));
    assert_eq!(bench.stats().late, 1, "{late}");
    assert_eq!(told(&text, &lines), ["few 2 at 11s", "few 2 at 22s"]);
    // A late one within the tolerance opens the window earlier.
    assert_eq!(told(&text, &["3s a", "13s a", "1s a", "due 60s"]), ["few 2 at 3s", "few 1 at 13s"]);
    // One that comes when its window may be decided is left out, though no newer one was seen.
    let mut bench = Bench::new(&text);
    ["1s a", "due 30s", "14s+999999999 a"].iter().for_each(|line| bench.feed(line));
    assert_eq!((bench.told.len(), bench.stats().late), (1, 1));
}

#[test]
fn rules_that_come_together() {
    let temporal = |lines: &str| rules(&["a", "b", "c"]) + &correlation("x", lines);
    let all = temporal("type: temporal\nrules: [a, b, c]\ntimespan: 10s");
    let two = temporal("type: temporal\nrules: [a, b, c]\ntimespan: 10s\ncondition: {gte: 2}");
    let ordered = temporal("type: temporal_ordered\nrules: [a, b, c]\ntimespan: 10s");
    let ordered_two =
        temporal("type: temporal_ordered\nrules: [a, b, c]\ntimespan: 10s\ncondition: {gte: 2}");
    let alone = temporal("type: temporal\nrules: [a, b, c]\ntimespan: 10s\ncondition: {lt: 2}");
    let rows: [(&str, &[&str], &[&str]); 15] = [
        (&all, &["1s c", "2s a", "3s b"], &["x 3 at 3s"]),
        (&all, &["1s c", "2s a", "3s a"], &[]),
        (&all, &["1s c", "2s a", "11s b"], &["x 3 at 11s"]),
        (&all, &["1s c", "2s a", "11s+1 b"], &[]),
        (&all, &["11s b", "1s c", "2s a"], &["x 3 at 11s"]),
        (&two, &["1s c", "2s c", "3s b"], &["x 2 at 3s"]),
        (&ordered, &["1s a", "2s b", "3s c"], &["x 3 at 3s"]),
        (&ordered, &["1s a", "2s c", "3s b"], &[]),
        (&ordered, &["1s a", "2s c", "3s b", "4s c"], &["x 3 at 4s"]),
        (&ordered, &["3s c", "2s b", "1s a"], &["x 3 at 3s"]),
        (&ordered, &["1s a", "2s a", "2s b", "12s c"], &[]),
        (&ordered, &["1s a", "2s a", "2s b", "11s c"], &["x 3 at 11s"]),
        (&ordered_two, &["1s b", "2s a", "3s c"], &["x 2 at 3s"]),
        (&alone, &["1s a", "2s a", "due 30s"], &["x 1 at 2s"]),
        (&alone, &["1s a", "2s b", "due 30s"], &[]),
    ];
    for (text, lines, expected) in rows {
        assert_eq!(told(text, lines), *expected, "{lines:?}");
    }
}

/// Rules `a` and `b` match the same events: an event is counted once, is both rules where they only must
/// come together, and never two steps.
#[test]
fn one_event_that_two_rules_match() {
    let twins = rules(&["a"]) + &rules(&["b"]).replace("Image: b", "Image: a");
    let with = |lines: &str| twins.clone() + &correlation("x", lines);
    let count = with("type: event_count\nrules: [a, b]\ntimespan: 10s\ncondition: {gte: 3}");
    assert_eq!(told(&count, &["1s a", "2s a"]), [""; 0]);
    assert_eq!(told(&count, &["1s a", "2s a", "3s a"]), ["x 3 at 3s"]);
    let together = with("type: temporal\nrules: [a, b]\ntimespan: 10s");
    assert_eq!(told(&together, &["1s a"]), ["x 2 at 1s"]);
    let ordered = with("type: temporal_ordered\nrules: [a, b]\ntimespan: 10s");
    assert_eq!(told(&ordered, &["1s a"]), [""; 0]);
    assert_eq!(told(&ordered, &["1s a", "2s a"]), ["x 2 at 2s"]);
}

#[test]
fn what_is_not_there_is_not_measured() {
    let with = |condition: &str, kind: &str| {
        rules(&["a"])
            + &correlation("x", &format!("type: {kind}\nrules: a\ntimespan: 10s\ncondition: {condition}"))
    };
    let values = with("{field: User, gte: 2}", "value_count");
    assert_eq!(told(&values, &["1s a User=x", "2s a"]), [""; 0]);
    assert_eq!(told(&values, &["1s a User=x", "2s a User=X"]), ["x 2 at 2s"], "case counts");
    let pairs = with("{field: [User, Account], gte: 2}", "value_count");
    assert_eq!(told(&pairs, &["1s a User=x Account=y", "2s a User=x"]), [""; 0]);
    assert_eq!(told(&pairs, &["1s a User=x Account=y", "2s a User=y Account=x"]), ["x 2 at 2s"]);
    let first = with("{field: User, gte: 2}", "value_count");
    assert_eq!(
        told(&first, &["1s a User=x User=y", "2s a User=x User=z"]),
        [""; 0],
        "the first value counts"
    );
    let average = with("{field: BytesSent, eq: 4}", "value_avg");
    assert_eq!(told(&average, &["1s a BytesSent=#4", "2s a", "due 40s"]), ["x 4 at 1s"]);
}

#[test]
fn groups_have_their_values_in_common() {
    let text = rules(&["a"])
        + &correlation(
            "x",
            "type: event_count\nrules: a\ngroup-by: [User, DestinationIp]\ntimespan: 10s\ncondition: {gte: 2}",
        );
    for (one, other, same) in [
        ("User=x DestinationIp=@1.2.3.4", "User=x DestinationIp=@1.2.3.4", true),
        ("User=x DestinationIp=@1.2.3.4", "User=x DestinationIp=@::ffff:1.2.3.4", true),
        ("User=x DestinationIp=@1.2.3.4", "User=x DestinationIp=1.2.3.4", true),
        ("User=x DestinationIp=@1.2.3.4", "User=X DestinationIp=@1.2.3.4", false),
        ("User=x DestinationIp=@1.2.3.4", "User=x", false),
        ("User=x", "User=x", true),
        ("User=x User=y", "User=x User=z", true),
        ("User=x User=y", "User=y User=x", false),
    ] {
        let lines = [format!("1s a {one}"), format!("2s a {other}")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(told(&text, &lines).len(), usize::from(same), "{one} | {other}");
    }
    let mut bench = Bench::new(&text);
    ["1s a User=x", "2s a User=x"].iter().for_each(|line| bench.feed(line));
    assert_eq!(
        bench.told[0].group,
        [("User".to_owned(), Some("x".to_owned())), ("DestinationIp".to_owned(), None)]
    );
    // Of a long text only the beginning is kept, but all of it tells groups apart.
    let long = "x".repeat(10_000);
    for (end, same) in [("y", false), ("z", true)] {
        let lines = [format!("1s a User={long}{end}"), format!("2s a User={long}z")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(told(&text, &lines).len(), usize::from(same));
    }
}

/// The specification's example: what one rule calls source the other calls destination.
#[test]
fn aliases_join_fields_of_different_names() {
    let text = rules(&["error", "connect"])
        + &correlation(
            "x",
            "type: temporal\nrules: [error, connect]\ngroup-by: [inside, outside]\ntimespan: 10s\n\
             aliases:\n  inside:\n    error: DestinationIp\n    connect: SourceIp\n  outside:\n    \
             error: SourceIp\n    connect: DestinationIp",
        );
    let error = "1s error SourceIp=@9.9.9.9 DestinationIp=@10.0.0.1";
    assert_eq!(told(&text, &[error, "2s connect SourceIp=@10.0.0.1 DestinationIp=@9.9.9.9"]), ["x 2 at 2s"]);
    assert_eq!(told(&text, &[error, "2s connect SourceIp=@9.9.9.9 DestinationIp=@10.0.0.1"]), [""; 0]);
    // A rule that an alias does not name has a field of that name itself; counted values may be aliases.
    let text = rules(&["a", "b"])
        + &correlation(
            "x",
            "type: value_count\nrules: [a, b]\ntimespan: 10s\naliases: {User: {b: Account}}\n\
             condition: {field: User, gte: 2}",
        );
    assert_eq!(told(&text, &["1s a User=x", "2s b Account=x User=z"]), [""; 0]);
    assert_eq!(told(&text, &["1s a User=x", "2s b Account=y User=x"]), ["x 2 at 2s"]);
}

/// The rules it reads may name fields otherwise; its own fields are named as it says.
#[test]
fn fields_are_named_in_the_taxonomy_of_the_document() {
    let text = rules(&["a"])
        + &correlation(
            "x",
            "type: value_count\nrules: a\ngroup-by: [user.name]\ntimespan: 10s\n\
             condition: {field: destination.ip, gte: 2}",
        )
        .replace("title: x", "title: x\ntaxonomy: ecs");
    let lines = ["1s a User=x DestinationIp=@1.1.1.1", "2s a User=x DestinationIp=@1.1.1.2"];
    assert_eq!(told(&text, &lines), ["x 2 at 2s"]);
    let found = load(&text.replace("user.name", "User")).unwrap_err();
    assert!(found[0].message.contains("the taxonomy `ecs` has no field `User`"), "{found:?}");
}

#[test]
fn a_group_tells_once_in_a_timespan_and_counts_the_rest() {
    let text =
        rules(&["a"]) + &correlation("x", "type: event_count\nrules: a\ntimespan: 10s\ncondition: {gte: 2}");
    let lines = ["1s a", "2s a", "3s a", "12s a", "12s+1 a", "4s a", "13s a"];
    assert_eq!(told(&text, &lines), ["x 2 at 2s", "x 2 at 13s"]);
    let mut bench = Bench::new(&text);
    lines.iter().for_each(|line| bench.feed(line));
    let repeats: Vec<u64> = bench.told.iter().map(|told| told.repeats).collect();
    assert_eq!(repeats, [0, 3], "those at 3, 12 and 4 seconds");
    let first = &bench.told[0];
    assert_eq!((first.first, first.last, first.matches), (super::SECOND, 2 * super::SECOND, 2));
    let steps: Vec<&str> = first.steps.iter().map(|step| step.event.as_str()).collect();
    assert_eq!(steps, ["1s a", "2s a"]);
    // The repeats are not forgotten with the group that is over, within a day.
    let mut bench = Bench::new(&text);
    ["1s a", "2s a", "3s a", "due 3600s", "3601s a", "3602s a"].iter().for_each(|line| bench.feed(line));
    assert_eq!(bench.told[1].repeats, 1);
}

/// A late match makes a window true that ended before others: those are counted or stay, by their time.
#[test]
fn a_late_match_takes_the_earliest_window() {
    let text =
        rules(&["a"]) + &correlation("x", "type: event_count\nrules: a\ntimespan: 3s\ncondition: {gte: 3}");
    let lines = ["10s a", "11s a", "14s a", "14s+1 a", "10s+5 a", "15s a", "16s a"];
    // At 11 s it comes true; 14 s is within the timespan behind it, 14 s + 1 ns opens the next window.
    let mut bench = Bench::new(&text);
    lines.iter().for_each(|line| bench.feed(line));
    assert_eq!(told(&text, &lines), ["x 3 at 11s", "x 3 at 16s"]);
    assert_eq!(bench.told[1].repeats, 1);
    assert_eq!(bench.told[1].first, 14 * super::SECOND + 1);
}

#[test]
fn of_many_matches_the_last_events_are_shown() {
    let text = rules(&["a", "b"]) + &correlation("x", "type: temporal\nrules: [a, b]\ntimespan: 60s");
    let mut bench = Bench::new(&text);
    (1..=20).for_each(|at| bench.feed(&format!("{at}s a")));
    bench.feed("21s b");
    let told = &bench.told[0];
    assert_eq!(told.matches, 21);
    let shown: Vec<&str> = told.steps.iter().map(|step| step.event.as_str()).collect();
    assert_eq!(shown, ["14s a", "15s a", "16s a", "17s a", "18s a", "19s a", "20s a", "21s b"]);
}
