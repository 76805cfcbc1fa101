//! What rules mean: hand-labelled cases, each under the section of the specification it follows.

mod conditions;
mod modifiers;
mod rules;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use super::{Sysmon, TestRecord, engine, rule, truth};
use crate::{Engine, Placeholders, RuleSet, Source, Truth};

const YES: Truth = Truth::True;
const NO: Truth = Truth::False;
const OPEN: Truth = Truth::Unknown;

/// An item (or several, or a whole detection with its condition), a record, and the answer.
type Case = (&'static str, &'static [&'static str], Truth);

/// The cases of one section of a specification.
type Section = (&'static str, &'static [Case]);

/// All modifiers of the appendix.
const MODIFIERS: [&str; 31] = [
    "all",
    "startswith",
    "endswith",
    "contains",
    "exists",
    "cased",
    "neq",
    "windash",
    "re",
    "i",
    "m",
    "s",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "lt",
    "lte",
    "gt",
    "gte",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "cidr",
    "expand",
    "fieldref",
];

fn sections() -> impl Iterator<Item = &'static Section> {
    rules::CASES.iter().chain(search::CASES).chain(modifiers::CASES)
}

fn placeholders() -> Placeholders {
    let values = [
        ("admins", &["root", "adm-*"][..]),
        ("host", &["srv1", "srv2"]),
        ("zone", &["a", "b"]),
        ("flag", &[" -e"]),
        ("nets", &["10.0.0.0/8", "192.168.0.0/16"]),
    ];
    let owned = |(name, values): (&str, &[&str])| {
        (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    };
    values.into_iter().map(owned).collect()
}

/// Asks twice: a second look at the same record must not depend on what the first left behind.
fn check(detection: &str, record: &[&str], expected: Truth) {
    let source = Source::new("case.yml", rule(detection));
    let set = RuleSet::load([source], &Sysmon, &placeholders()).unwrap_or_else(|refused| {
        let told: String = refused.iter().map(|diagnostic| diagnostic.render(false)).collect();
        panic!("{told}")
    });
    let mut engine = Engine::new(set);
    let record = TestRecord::parse(record.iter().copied());
    for time in ["first", "second"] {
        assert_eq!(truth(&mut engine, &record), expected, "{time} time\n{detection}\n{record:?}");
    }
}

/// An item without a condition is the only selection.
fn detection(written: &str) -> String {
    if written.contains("condition:") {
        return written.to_owned();
    }
    let indented: String = written.lines().map(|line| format!("  {line}\n")).collect();
    format!("selection:\n{indented}condition: selection\n")
}

#[test]
fn every_case_has_the_answer_of_the_specification() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (section, cases) in sections() {
        *counts.entry(section).or_default() += cases.len();
        for (written, record, expected) in *cases {
            check(&detection(written), record, *expected);
        }
    }
    for (condition, record, expected) in conditions::CASES {
        *counts.entry("rules, Condition").or_default() += 1;
        // Every selection is used: those the condition leaves out are joined without effect.
        let tail = "_never and (s_a or s_b or f or _x)";
        let whole = if condition.starts_with('\n') {
            format!("{}condition:{}\n  - {tail}\n", conditions::DETECTION, condition.replace("\n-", "\n  -"))
        } else {
            format!("{}condition:\n  - {condition}\n  - {tail}\n", conditions::DETECTION)
        };
        check(&whole, record, *expected);
    }
    counts.iter().for_each(|(section, count)| println!("{count:4} {section}"));
    let all: usize = counts.values().sum();
    println!("{all:4} cases");
    assert!(all >= 100, "{all} cases");
}

/// Each modifier is seen to hold and not to hold.
#[test]
fn every_modifier_of_the_appendix_has_cases() {
    let mut seen: BTreeSet<(&str, bool)> = BTreeSet::new();
    for (written, _, expected) in sections().flat_map(|(_, cases)| *cases) {
        for key in written.lines().filter_map(|line| line.split(": ").next()) {
            let chain = key.trim_matches([' ', '-', '\'', ':']).split('|').skip(1);
            seen.extend(chain.map(|name| (name, expected.is_true())));
        }
    }
    for modifier in MODIFIERS {
        for held in [true, false] {
            assert!(seen.contains(&(modifier, held)), "no case where `{modifier}` is {held}");
        }
    }
}

#[test]
fn rules_see_only_records_of_their_log_source() {
    let mut engine = engine(&rule("s:\n  Image: a\ncondition: s"));
    let mut record = TestRecord::parse(["Image=a"]);
    assert_eq!(truth(&mut engine, &record), YES);
    record.source = 1;
    assert_eq!(truth(&mut engine, &record), NO);
}

#[test]
fn matches_come_in_order_of_loading() {
    let text: Vec<String> = ["b", "a", "a*", "c"]
        .map(|value| rule(&format!("s:\n  Image|contains: '{value}'\ncondition: s")))
        .into();
    let mut engine = engine(&text.join("---\n"));
    let mut found = crate::Matches::default();
    engine.evaluate(&TestRecord::parse(["Image=ab"]), &mut found);
    assert_eq!(found.matched.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(found.pending.is_empty());
}
