//! Rule collections: what is shared, what is repeated, and where a mistake in them is shown.

use super::{TestRecord, engine, load};
use crate::{Matches, RuleSet, Source};

const GLOBAL: &str = "action: global
title: Shared
level: high
tags: [attack.t1105]
logsource:
  product: linux
detection:
  filter:
    User: root
  condition: s and not filter
---
";

fn part(id: u8, category: &str, value: &str) -> String {
    format!(
        "id: 5b0b75dc-9190-4047-b9a8-14164cee8a{id:02}\nlogsource:\n  category: {category}\n\
         detection:\n  s:\n    Image: {value}\n"
    )
}

fn matched(set: RuleSet, source: u16, record: &[&str]) -> Vec<u32> {
    let mut engine = crate::Engine::new(set);
    let record = TestRecord { source, ..TestRecord::parse(record.iter().copied()) };
    let mut found = Matches::default();
    engine.evaluate(&record, &mut found);
    found.matched.iter().map(|rule| rule.0).collect()
}

#[test]
fn a_common_part_is_joined_to_every_rule_behind_it() {
    let text = format!("{GLOBAL}{}---\n{}", part(1, "process_creation", "a"), part(2, "file_event", "b"));
    let set = load(&text).unwrap();
    let [first, second] = set.rules() else { panic!("{:?}", set.rules()) };
    assert_eq!((first.title.as_str(), second.title.as_str()), ("Shared", "Shared"));
    assert_eq!(first.log_source.to_string(), "linux/process_creation");
    assert_eq!(second.tags, ["attack.t1105"]);
    assert_eq!(second.line, 19, "where its own part stands");
    assert!(!second.custom.contains_key("action"));
    assert_eq!(matched(load(&text).unwrap(), 0, &["Image=a", "User=me"]), [0]);
    assert_eq!(matched(load(&text).unwrap(), 0, &["Image=a", "User=root"]), [0; 0]);
    assert_eq!(matched(load(&text).unwrap(), 2, &["Image=b", "User=me"]), [1]);
}

#[test]
fn a_reset_ends_the_common_part() {
    let alone = super::rule("s:\n  Image: c\ncondition: s").replace("Test", "Alone");
    let set =
        load(&format!("{GLOBAL}{}---\naction: reset\n---\n{alone}", part(1, "file_event", "a"))).unwrap();
    assert_eq!(set.rules()[1].title, "Alone");
    assert!(set.rules()[1].tags.is_empty());
}

#[test]
fn a_repeat_changes_what_it_says_and_keeps_the_rest() {
    let repeat = "action: repeat\nid: 5b0b75dc-9190-4047-b9a8-14164cee8a09\ntitle: Again\n\
                  detection:\n  s:\n    Image: z\n";
    let text = format!("{GLOBAL}{}---\n{repeat}", part(1, "process_creation", "a"));
    let set = load(&text).unwrap();
    let titles: Vec<_> = set.rules().iter().map(|rule| (rule.title.as_str(), rule.level.name())).collect();
    assert_eq!(titles, [("Shared", "high"), ("Again", "high")]);
    assert_ne!(set.rules()[0].fingerprint, set.rules()[1].fingerprint);
    assert_eq!(matched(load(&text).unwrap(), 0, &["Image=a", "User=me"]), [0]);
    assert_eq!(matched(load(&text).unwrap(), 0, &["Image=z", "User=me"]), [1]);
    // A repeat of a repeat changes the repeat.
    let twice = format!(
        "{text}---\n{}",
        repeat.replace("09", "10").replace("Image", "User").replace("Again", "Third")
    );
    let mut engine = engine(&twice);
    let mut found = Matches::default();
    engine.evaluate(&TestRecord::parse(["Image=z", "User=z"]), &mut found);
    assert_eq!(found.matched.iter().map(|rule| rule.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_identity_is_not_repeated() {
    let text = format!("{GLOBAL}{}---\naction: repeat\ntitle: Again\n", part(1, "process_creation", "a"));
    let found = load(&text).unwrap_err();
    assert!(found[0].message.contains("repeats the `id`"), "{}", found[0]);
    assert_eq!(found[0].line, 19);
}

#[test]
fn mistakes_in_a_common_part_are_shown_where_they_stand() {
    let text = format!("{}{}", GLOBAL.replace("User", "Usr"), part(1, "process_creation", "a"));
    let found = load(&text).unwrap_err();
    assert_eq!((found.len(), found[0].line, found[0].column), (1, 9, 5), "{found:?}");
}

#[test]
fn a_source_begins_anew() {
    let sources = [
        Source::new("a.yml", format!("{GLOBAL}{}", part(1, "process_creation", "a"))),
        Source::new("b.yml", part(2, "process_creation", "b")),
    ];
    let found = RuleSet::load(sources, &super::Sysmon, &crate::Placeholders::default()).unwrap_err();
    assert!(found.iter().all(|diagnostic| diagnostic.source == "b.yml"), "{found:?}");
}

#[test]
fn a_small_collection_cannot_unfold_to_gigabytes() {
    let list = "    - x\n".repeat(30_000);
    let global =
        format!("action: global\ndetection:\n  s:\n    User:\n{}---\n", list.replace("  -", "    -"));
    let found = load(&format!("{global}{}", "a: 1\n---\n".repeat(100))).unwrap_err();
    let last = found.iter().find(|found| found.message.contains("unfolds to more than"));
    assert!(last.is_some(), "{}", found[0]);
}
