//! The public rules for Linux hosts, read with this sensor's own fields and log sources.

use sensor_user::event::field::Fields;
use sigma::{Placeholders, RuleSet, Source};

#[path = "../differential/corpus.rs"]
mod corpus;

#[test]
fn every_public_rule_for_linux_hosts_loads() {
    let texts = match corpus::texts() {
        Ok(texts) => texts,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let rules: Vec<String> = texts.into_iter().filter(|text| corpus::is_for_linux(text)).collect();
    let sources =
        rules.iter().enumerate().map(|(number, text)| Source::new(format!("rule {number}"), text.as_str()));
    let refused: Vec<String> = sources
        .filter_map(|source| RuleSet::load([source], &Fields, &Placeholders::default()).err())
        .flatten()
        .map(|diagnostic| diagnostic.to_string())
        .collect();
    assert!(rules.len() >= 100, "this is not the public corpus");
    assert!(refused.is_empty(), "{} of {}:\n{}", refused.len(), rules.len(), refused.join("\n"));
}
