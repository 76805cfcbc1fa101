//! What is exposed, the table in the code and the table in the documentation are one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::table::{ALL, Type};
use super::*;
use crate::sink::sample;

const DOCUMENTED: &str = include_str!("../../../../docs/metric.md");
const DASHBOARD: &str = include_str!("../../../../deploy/grafana/tidewaiter.json");
const RULES: &str = include_str!("../../../../deploy/prometheus/rules.yml");

/// A sample as it was read: name, labels in their order.
fn samples(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    page.lines().filter(|line| !line.starts_with('#')).map(sample_of).collect()
}

fn sample_of(line: &str) -> (String, Vec<(String, String)>) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    while let Some(label) = rest.strip_prefix(['{', ',']) {
        let (key, quoted) = label.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let after = loop {
            match characters.next().unwrap() {
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (at, '"') => break at + 1,
                (_, other) => value.push(other),
            }
        };
        labels.push((key.to_owned(), value));
        rest = &quoted[after..];
    }
    let value = rest.strip_prefix('}').unwrap_or(rest).strip_prefix(' ').unwrap();
    assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
    (name.to_owned(), labels)
}

#[test]
fn what_is_exposed_is_the_table() {
    let page = render(&sample::snapshot());
    let mut exposed: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (name, labels) in samples(&page) {
        exposed.entry(name).or_default().insert(labels.into_iter().map(|(key, _)| key).collect());
    }
    let expected = ALL.iter().map(|metric| {
        let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        (metric.name.to_owned(), BTreeSet::from([labels]))
    });
    assert_eq!(exposed, expected.collect());
    let told: Vec<&str> = page.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let expected = ALL.iter().map(|metric| format!("# TYPE {} {}", metric.name, metric.kind.name()));
    assert_eq!(told, expected.collect::<Vec<_>>(), "each once, in the order of the table");
    for metric in ALL {
        assert!(page.contains(&format!("# HELP {} {}\n", metric.name, metric.help)), "{}", metric.name);
    }
}

#[test]
fn names_follow_the_practice() {
    for Metric { name, kind, labels, help } in ALL {
        assert!(name.starts_with("tidewaiter_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Type::Counter, "{name}");
        assert!(!name.contains("milli") && !name.contains("kib"), "{name}: base units");
        assert!(help.ends_with('.') && help.len() < 140, "{name}: {help}");
        assert!(labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_lowercase())), "{name}");
    }
}

#[test]
fn texts_of_others_break_out_of_nothing() {
    let page = render(&sample::snapshot());
    let reasons: Vec<_> =
        samples(&page).into_iter().filter(|(name, _)| name.contains("rule_matches")).collect();
    assert_eq!(reasons[0].1[1], ("title".to_owned(), "curl \"x\"\\y".to_owned()));
    let mut hostile = sample::snapshot();
    hostile.sinks[0].name = "a\"} 1\nforged_total 1\n\u{1b}[2J\\".to_owned();
    let page = render(&hostile);
    assert!(!page.contains("\nforged") && !page.contains('\u{1b}'));
    let up = samples(&page).into_iter().find(|(name, _)| name == "tidewaiter_sink_up").unwrap();
    assert_eq!(up.1[0].1, "a\"} 1\nforged_total 1\n\u{fffd}[2J\\");
}

/// Rows of the tables of the documentation: name, type, labels, meaning.
fn documented() -> Vec<[String; 4]> {
    let rows = DOCUMENTED.lines().filter(|line| line.starts_with("| `tidewaiter_"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, help] = cells.try_into().unwrap_or_else(|_| panic!("four cells: {line}"));
        let labels = labels.replace('`', "");
        [name.trim_matches('`').to_owned(), kind.to_owned(), labels, help.to_owned()]
    })
    .collect()
}

#[test]
fn the_documented_table_is_the_table() {
    let expected = ALL.iter().map(|metric| {
        let Metric { name, kind, labels, help } = metric;
        [(*name).to_owned(), kind.name().to_owned(), labels.join(", "), (*help).to_owned()]
    });
    let expected: Vec<_> = expected.collect();
    for (row, line) in expected.iter().zip(documented()) {
        assert_eq!(*row, line);
    }
    assert_eq!(documented().len(), expected.len());
}

/// Every word of a text that looks like a metric of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(|character| !is_part(character)).filter(|word| word.starts_with("tidewaiter_")).collect()
}

#[test]
fn dashboard_and_rules_ask_for_metrics_that_exist() {
    let known: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    collect(&dashboard, &mut expressions);
    assert!(expressions.len() > 20, "{}", expressions.len());
    let asked: BTreeSet<&str> = expressions.iter().flat_map(|expression| names(expression)).collect();
    assert!(asked.is_subset(&known), "{:?}", asked.difference(&known));
    let rules: BTreeSet<&str> = names(RULES);
    assert!(rules.len() > 5 && rules.is_subset(&known), "{:?}", rules.difference(&known));
    let unused: Vec<_> = known.difference(&asked).collect();
    assert!(unused.len() < known.len() / 3, "the dashboard leaves out {unused:?}");
}

/// The expressions of all panels.
fn collect<'v>(value: &'v serde_json::Value, into: &mut Vec<&'v str>) {
    match value {
        serde_json::Value::Object(map) => {
            into.extend(map.get("expr").and_then(serde_json::Value::as_str));
            map.values().for_each(|value| collect(value, into));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
