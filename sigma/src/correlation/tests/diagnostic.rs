//! Mistakes in correlations: found, placed, explained; and the specification's own examples.

use super::{correlation, load, rules};

/// A correlation of two rules with these lines instead of the good ones.
fn with(lines: &str) -> String {
    let mut all = vec!["type: event_count", "rules: [abc, xyz]", "timespan: 5m", "condition: {gte: 10}"];
    for line in lines.lines() {
        let key = line.split(':').next().unwrap();
        all.retain(|known| line.starts_with(' ') || !known.starts_with(key));
        all.push(line);
    }
    rules(&["abc", "xyz"]) + &correlation("test", &all.join("\n"))
}

/// Every text is refused once, with this part of the document under the caret.
fn check(rows: impl IntoIterator<Item = (String, &'static str, &'static str)>) {
    for (text, under, says) in rows {
        let found = load(&text).err().unwrap_or_default();
        let [diagnostic] = found.as_slice() else { panic!("{text}\n{found:#?}") };
        let span = diagnostic.span;
        assert_eq!(&text[span.offset..span.offset + span.len], under, "{text}\n{diagnostic}");
        assert!(diagnostic.to_string().contains(says), "{says}: {diagnostic}");
    }
}

#[test]
fn the_caret_stands_under_a_mistake_in_what_it_joins_and_by_what() {
    check([
        (with("grup-by: [User]"), "grup-by", "did you mean `group-by`?"),
        (with("type: event_cuont"), "event_cuont", "did you mean `event_count`?"),
        (with("type: value_median"), "value_median", "percentile: 50"),
        (with("type: sum"), "sum", "write one of event_count"),
        (with("rules: [abc, xzy]"), "xzy", "did you mean `xyz`?"),
        (with("rules: [abc, nowhere]"), "nowhere", "no rule has the name"),
        (with("rules: [abc, abc]"), "abc", "twice"),
        (with("rules: []"), "[]", "empty"),
        (with("rules: {abc: xyz}"), "{abc: xyz}", "a map"),
        (
            with("rules: [5b0b75dc-9190-4047-b9a8-14164cee8a31]"),
            "5b0b75dc-9190-4047-b9a8-14164cee8a31",
            "no rule has the id",
        ),
        (with("rules: [abc, test]"), "test", "read itself"),
        (with("group-by: [Usr]"), "Usr", "did you mean `User`?"),
        (with("group-by: [User, User]"), "User", "twice"),
        (with("group-by: []"), "[]", "empty"),
    ]);
}

#[test]
fn the_caret_stands_under_a_mistake_in_its_timespan_and_condition() {
    check([
        (with("timespan: 5"), "5", "for example `10m`"),
        (with("timespan: 5M"), "5M", "no timespan"),
        (with("timespan: 2w"), "2w", "write `14d`"),
        (with("timespan: 1h30m"), "1h30m", "no timespan"),
        (with("timespan: -5m"), "-5m", "no timespan"),
        (with("timespan: 0s"), "0s", "longer than nothing"),
        (with("timespan: 31d"), "31d", "longer than 30 days"),
        (with("timespan: 99999999999999999999d"), "99999999999999999999d", "no timespan"),
        (with("condition: {}"), "{}", "no bound"),
        (with("condition: {gte: many}"), "many", "decimal number"),
        (with("condition: {gte: 1.5}"), "1.5", "whole numbers"),
        (with("condition: {gte: .inf}"), ".inf", "decimal number"),
        (with("condition: {get: 5}"), "get", "did you mean `gt`?"),
        (with("condition: {field: User, gte: 5}"), "field", "takes no `field`"),
        (with("condition: {percentile: 5, gte: 5}"), "percentile", "has no `percentile`"),
        (with("condition: {gt: 5, lt: 6}"), "{gt: 5, lt: 6}", "at once"),
        (with("condition: {eq: 5, gt: 5}"), "{eq: 5, gt: 5}", "at once"),
        (with("condition: {gte: 0}"), "{gte: 0}", "holds of every match"),
        (with("condition: {gt: -1}"), "{gt: -1}", "holds of every match"),
        (with("condition: {lt: 1}"), "{lt: 1}", "never less than one"),
        (with("condition: {eq: 0}"), "{eq: 0}", "never less than one"),
        (with("condition: {gte: 1000000}"), "{gte: 1000000}", "beyond the"),
        (with("condition: 10"), "10", "map of bounds"),
        (with("type: temporal\ncondition: abc and not xyz"), "abc and not xyz", "chain correlations"),
        (with("type: temporal\ncondition: {gte: 3}"), "{gte: 3}", "beyond the 2 rules"),
        (with("type: temporal\nrules: [abc]\ncondition: {gte: 1}"), "abc", "at least two rules"),
        (with("type: value_count"), "{gte: 10}", "needs a `field`"),
        (
            with("type: value_sum\ncondition: {field: [User, Account], gte: 1}"),
            "[User, Account]",
            "at most 1",
        ),
        (with("type: value_count\ncondition: {field: Usr, gte: 1}"), "Usr", "did you mean `User`?"),
        (
            with("type: value_avg\ncondition: {field: BytesSent, gt: 3, lt: 3}"),
            "{field: BytesSent, gt: 3, lt: 3}",
            "at once",
        ),
        (
            with("type: value_percentile\ncondition: {field: BytesSent, percentile: 0, gt: 3}"),
            "0",
            "from 1 to 100",
        ),
    ]);
}

#[test]
fn the_caret_stands_under_a_mistake_in_its_aliases_and_what_stands_beside_it() {
    check([
        (with("aliases: [who]"), "[who]", "must be a map"),
        (with("aliases: {who: User}\ngroup-by: [who]"), "User", "map of rules to fields"),
        (with("aliases: {who: {abc: User, xyz: User}}"), "who", "nothing uses"),
        (with("aliases: {who: {abc: User}}\ngroup-by: [who]"), "who", "names no field of `xyz`"),
        (with("aliases: {who: {abc: User, xyz: Usr}}\ngroup-by: [who]"), "Usr", "did you mean `User`?"),
        (with("aliases: {User: {abc: User, xzy: Account}}\ngroup-by: [User]"), "xzy", "did you mean `xyz`?"),
        (
            with("rules: [abc]\naliases: {User: {xyz: Account}}\ngroup-by: [User]"),
            "xyz",
            "none of the `rules`",
        ),
        (with("generate: yes please"), "yes please", "`true` or `false`"),
        (with("type: event_count") + "title: more\ncorrelation: 5\n", "5", "must be a map"),
        (
            with("type: event_count").replace("title: test\n", "title: test\nlogsource: {category: any}\n"),
            "logsource",
            "its rules have",
        ),
        (
            with("type: event_count").replace("title: test\n", "title: test\ngenerat: true\n"),
            "generat",
            "did you mean `generate`?",
        ),
        (
            with("type: event_count").replace("title: test\n", "title: test\nlevel: hihg\n"),
            "hihg",
            "did you mean `high`?",
        ),
        (
            with("rules: [abc, xyz]") + &rules(&["abc"]),
            "abc",
            "several rules have the name `abc`: test.yml:1, test.yml:19",
        ),
    ]);
}

#[test]
fn what_is_missing_is_named() {
    for (without, says) in [
        ("type", "the correlation has no `type`"),
        ("rules", "the correlation has no `rules`"),
        ("timespan", "the correlation has no `timespan`"),
        ("condition", "the correlation has no `condition`"),
    ] {
        let text: String = with("generate: false")
            .lines()
            .filter(|line| !line.starts_with(&format!("  {without}")))
            .fold(String::new(), |text, line| text + line + "\n");
        let found = load(&text).err().unwrap_or_default();
        assert_eq!(found.iter().map(|found| found.message.as_str()).collect::<Vec<_>>(), [says]);
    }
}

#[test]
fn circles_are_refused_once() {
    let one = |name: &str, of: &str| {
        correlation(name, &format!("type: event_count\nrules: [{of}]\ntimespan: 5m\ncondition: {{gte: 10}}"))
    };
    for (text, mistakes) in [
        (one("aa", "bb") + &one("bb", "cc") + &one("cc", "aa"), 1),
        (one("aa", "aa") + &one("bb", "bb"), 2),
        (one("zz", "aa") + &one("aa", "bb") + &one("bb", "aa") + &one("yy", "zz"), 1),
    ] {
        let found = load(&text).unwrap_err();
        assert_eq!(found.len(), mistakes, "{found:#?}");
        assert!(found.iter().all(|found| found.message.contains("read itself")));
    }
    // A long chain is no circle, and costs no stack.
    let chain: String = (0..1_000).map(|at| one(&format!("r{at}"), &format!("r{}", at + 1))).collect();
    assert!(load(&(chain + &rules(&["r1000"]))).is_ok());
}

/// Without a record at hand only what the inner correlation groups by is known.
#[test]
fn what_is_decided_in_the_end_has_no_other_values() {
    let inner = correlation(
        "inner",
        "type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 5m\ncondition: {lt: 3}",
    );
    for (lines, under) in [
        (
            "type: event_count\nrules: inner\ngroup-by: [Account]\ntimespan: 1h\ncondition: {gte: 2}",
            Some("Account"),
        ),
        (
            "type: value_sum\nrules: inner\ngroup-by: [User]\ntimespan: 1h\ncondition: {field: BytesSent, gte: 2}",
            Some("BytesSent"),
        ),
        ("type: event_count\nrules: inner\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 2}", None),
        ("type: value_count\nrules: inner\ntimespan: 1h\ncondition: {field: User, gte: 2}", None),
    ] {
        let text = rules(&["a"]) + &inner + &correlation("outer", lines);
        match (load(&text), under) {
            (Ok(_), None) => {}
            (Err(found), Some(under)) => {
                let span = found[0].span;
                assert_eq!(&text[span.offset..span.offset + span.len], under, "{found:#?}");
                assert!(found[0].help.as_ref().unwrap().contains("to the `group-by` of `inner`"));
            }
            (answer, _) => panic!("{lines}: {answer:?}"),
        }
    }
}

/// One document for each of the specification's examples, with fields of this host.
#[test]
fn the_types_of_the_specification_load_as_it_writes_them() {
    let id = "5b0b75dc-9190-4047-b9a8-14164cee8a31";
    let rules = rules(&["recon_a", "recon_b", "recon_c", "access"]).replacen(
        "name: access",
        &format!("name: access\nid: {id}"),
        1,
    );
    for lines in [
        format!("type: event_count\nrules:\n  - {id}\ngroup-by:\n  - ContainerId\ntimespan: 1h\ncondition:\n  gte: 100"),
        "type: temporal\nrules:\n  - recon_a\n  - recon_b\n  - recon_c\ngroup-by:\n  - ContainerId\n  - User\ntimespan: 5m".into(),
        "type: temporal_ordered\nrules:\n  - recon_a\n  - recon_b\n  - recon_c\ngroup-by:\n  - ContainerId\n  - User\ntimespan: 5m".into(),
        "type: value_avg\nrules:\n  - access\ngroup-by:\n  - SourceIp\n  - User\ntimespan: 24h\ncondition:\n  field: BytesSent\n  gt: 500".into(),
        format!("type: value_count\nrules:\n  - {id}\ngroup-by:\n  - ContainerId\n  - SourceIp\ntimespan: 1d\ncondition:\n  field: User\n  gte: 100"),
        "type: value_percentile\nrules:\n  - access\ngroup-by:\n  - ContainerId\ntimespan: 24h\ncondition:\n  field: Image\n  lte: 1".into(),
        "type: value_sum\nrules:\n  - access\ngroup-by:\n  - SourceIp\n  - User\ntimespan: 1h\ncondition:\n  field: BytesSent\n  gt: 1000000".into(),
        "type: event_count\nrules:\n  - access\ngroup-by:\n  - User\ntimespan: 90m\ncondition:\n  gt: 100\n  lte: 200".into(),
    ] {
        let text = rules.clone() + &correlation("test", &lines);
        let set = load(&text).unwrap_or_else(|refused| panic!("{lines}\n{refused:#?}"));
        let json = serde_json::to_value(&set.rules()[4]).unwrap();
        assert_eq!(json["correlation"]["type"], lines[6..].lines().next().unwrap(), "{json}");
    }
}
