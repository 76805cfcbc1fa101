//! Our documents beside the published list of ECS fields: names, types, and where lists belong.

use std::collections::BTreeMap;

use super::schema::samples;
use super::*;
use crate::event::field::TABLE;

/// Its first lines say where it is from.
const LIST: &str = include_str!("../../../../../tests/data/ecs-8.11.0.txt");

/// What is not as ECS has it, and why.
const DEVIATIONS: [(&str, &str); 4] = [
    ("kind", "tells what a line is before anything else is read; it is the document's own, beside ECS"),
    (
        "process.user.effective.id",
        "`process.user` is the real user, who acts, as rules see him; ECS nests `effective` in `user` alone",
    ),
    ("rule.level", "ECS has no level of a rule; it stands where people look for it"),
    (
        "orchestrator.resource.parent.name",
        "ECS has the type of what made a pod, and no name; one without the other is useless",
    ),
];

/// Stands for all that begins with it.
const OWN: &str = "tidewaiter.";

#[derive(Debug)]
struct Known {
    kind: &'static str,
    is_list: bool,
}

fn list() -> BTreeMap<&'static str, Known> {
    let rows = LIST.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let mut words = row.split(' ');
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        (name, Known { kind, is_list: words.next() == Some("array") })
    })
    .collect()
}

/// Every value with its dotted name.
fn leaves(value: &Value, name: &str, each: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                leaves(value, &name, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            each(name, value);
        }
    }
}

/// One value is of an ECS type.
fn is_of(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "keyword" | "wildcard" | "match_only_text" | "constant_keyword" => text.is_some(),
        "long" => value.is_i64() || value.is_u64(),
        "ip" => text.is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
        "date" => text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        "boolean" => value.is_boolean(),
        _ => false,
    }
}

#[test]
fn every_field_is_ecs_or_ours() {
    let known = list();
    let mut seen = BTreeMap::new();
    for message in samples() {
        leaves(&value(&message), "", &mut |name, value| {
            seen.insert(name.to_owned(), value.clone());
        });
    }
    let mut mistakes = Vec::new();
    for (name, value) in seen.iter().filter(|(name, _)| !name.starts_with(OWN)) {
        let Some(Known { kind, is_list }) = known.get(name.as_str()) else {
            if !DEVIATIONS.iter().any(|(deviation, _)| deviation == name) {
                mistakes.push(format!("ECS has no {name}"));
            }
            continue;
        };
        let values = value.as_array();
        if values.is_some() != *is_list {
            mistakes.push(format!("{name} is {value}: a list where ECS has none, or none where it has one"));
        }
        let values = values.map_or_else(|| vec![value], |values| values.iter().collect());
        if !values.iter().all(|value| is_of(kind, value)) {
            mistakes.push(format!("{name} is {value}, not of type {kind}"));
        }
    }
    assert_eq!(mistakes, Vec::<String>::new());
    assert!(seen.len() > 100, "{}", seen.len());
    for (name, reason) in DEVIATIONS {
        assert!(seen.contains_key(name) && !known.contains_key(name), "{name} is no deviation: {reason}");
    }
}

#[test]
fn so_is_every_name_that_rules_and_events_use() {
    let known = list();
    let strange: Vec<_> = TABLE
        .iter()
        .map(|(_, _, ecs, _)| *ecs)
        .filter(|name| !name.starts_with(OWN) && !known.contains_key(name))
        .collect();
    assert_eq!(strange, Vec::<&str>::new());
}
