//! What an explanation tells: each item with the truth of each of its values and what the record has there.

use super::{TestRecord, explain, load, rule};
use crate::{Clause, Item, Part, Presence, Truth};

/// Truth of each item, `+` true, `-` false, `?` unknown; its values by themselves behind a colon.
fn told(detection: &str, fields: &[&str]) -> String {
    let text = rule(detection);
    let explained = explain(&load(&text).unwrap(), &text, &TestRecord::parse(fields.iter().copied()));
    let searches =
        explained.detection.searches.iter().map(|search| format!("{}({})", search.name, part(&search.asks)));
    format!("{} {}", mark(explained.truth), searches.collect::<Vec<_>>().join(" "))
}

fn mark(truth: Truth) -> char {
    match truth {
        Truth::True => '+',
        Truth::False => '-',
        Truth::Unknown => '?',
    }
}

fn part(part: &Part) -> String {
    let group = |parts: &[Part], by: &str| parts.iter().map(self::part).collect::<Vec<_>>().join(by);
    match part {
        Part::All(_, parts) => group(parts, "&"),
        Part::Any(_, parts) => group(parts, "|"),
        Part::Item(item) => {
            let values: String = item.values.iter().map(|asked| mark(asked.truth)).collect();
            format!("{}:{values}", mark(item.truth))
        }
    }
}

#[test]
fn each_value_of_each_item_is_told() {
    for (detection, fields, expected) in [
        ("s:\n  User: [a, b, c]\ncondition: s", &["User=b"][..], "+ s(+:-+-)"),
        ("s:\n  User|contains|all: [a, b]\ncondition: s", &["User=xa"], "- s(-:+-)"),
        ("s:\n  User|neq: [a, b]\ncondition: s", &["User=a"], "- s(-:-+)"),
        ("s:\n  User|all|neq|contains: [a, b]\ncondition: s", &["User=a"], "+ s(+:-+)"),
        ("s:\n  User: null\ncondition: s", &[], "+ s(+:+)"),
        ("s:\n  User: null\ncondition: s", &["User=x"], "- s(-:-)"),
        ("s:\n  User|exists: false\ncondition: s", &["User=x"], "- s(-:-)"),
        ("s:\n  User: a\n  Image: b\ncondition: s", &["User~", "Image=b"], "? s(?:?&+:+)"),
        ("s:\n  User: a\n  Image: b\ncondition: s", &["User~", "Image=c"], "- s(?:?&-:-)"),
        ("s:\n  - User: a\n  - Image: b\ncondition: s", &["Image=B"], "+ s(-:-|+:+)"),
        ("s:\n  User: a\nt:\n  User: b\ncondition: s and not t", &["User=a"], "+ s(+:+) t(-:-)"),
        ("s:\n  User: a\ncondition:\n- not s\n- s", &["User=a"], "+ s(+:+)"),
        ("s:\n  User: 'a*b?c'\ncondition: s", &["User=axbyc"], "+ s(+:+)"),
        ("s: [a, b]\ncondition: s", &["User=xbx"], "+ s(-:-|+:+)"),
        ("s:\n  '|all': [a, b]\ncondition: s", &["User=a", "Image=c"], "- s(-:+-)"),
        ("s:\n  User: 'a'\n  Image|re: '^b'\ncondition: s", &["User=a", "Image=ab"], "- s(+:+&-:-)"),
    ] {
        assert_eq!(told(detection, fields), expected, "{detection} {fields:?}");
    }
}

fn only(detection: &str, fields: &[&str]) -> Item {
    let text = rule(detection);
    let explained = explain(&load(&text).unwrap(), &text, &TestRecord::parse(fields.iter().copied()));
    let Some(Part::All(_, parts)) = explained.detection.searches.first().map(|search| search.asks.clone())
    else {
        panic!("no map")
    };
    let Some(Part::Item(item)) = parts.into_iter().next() else { panic!("no item") };
    item
}

#[test]
fn what_the_record_has_stands_beside_what_is_asked() {
    let item = only("s:\n  DestinationPort|gte: 22\ncondition: s", &["DestinationPort=#443"]);
    assert_eq!((item.key.as_str(), item.line), ("DestinationPort|gte", 7));
    assert_eq!((item.found.presence, item.found.values), (Some(Presence::Present), vec![443.into()]));
    let missing = only("s:\n  User: x\ncondition: s", &[]);
    assert_eq!((missing.found.presence, missing.found.values), (Some(Presence::Absent), vec![]));
    let both = only(
        "s:\n  SourceIp|fieldref: DestinationIp\ncondition: s",
        &["SourceIp=@::1", "DestinationIp=@::2"],
    );
    assert_eq!(both.values[0].other.as_ref().map(|found| found.values.clone()), Some(vec!["::2".into()]));
    assert_eq!(both.truth, Truth::False);
}

#[test]
fn the_part_of_a_condition_that_decided_can_be_seen() {
    let text = rule("s:\n  User: a\nt:\n  User: b\nu:\n  Image: c\ncondition: s and not (t or u)");
    let explained = explain(&load(&text).unwrap(), &text, &TestRecord::parse(["User=a", "Image=c"]));
    let [clause] = explained.detection.conditions.as_slice() else { panic!("one condition") };
    let told = |clauses: &[Clause]| -> String {
        clauses.iter().map(|part| format!("{}{};", mark(part.truth), part.text)).collect()
    };
    assert_eq!(told(&clause.parts), "+s;-not (t or u);");
    assert_eq!(told(&clause.parts[1].parts), "+(t or u);");
    assert_eq!(told(&clause.parts[1].parts[0].parts), "-t;+u;");
}

#[test]
fn a_rule_of_another_log_source_is_false_and_says_so() {
    let text = rule("s:\n  User: a\ncondition: s");
    let record = TestRecord { source: 1, ..TestRecord::parse(["User=a"]) };
    let explained = explain(&load(&text).unwrap(), &text, &record);
    assert_eq!(
        (explained.log_source, explained.truth, explained.detection.truth),
        (false, Truth::False, Truth::True)
    );
}
