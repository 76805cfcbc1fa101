//! Another engine in Rust, asked the same.

use std::collections::HashMap;

use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::Value;

use crate::host::Event;
use crate::rule::Rule;
use crate::verdict::Verdict;

pub(crate) fn verdicts(rules: &[Rule], events: &[Event]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::default(); rules.len()];
    let mut taken = Vec::new();
    for (rule, verdict) in rules.iter().zip(&mut verdicts) {
        match read(rule) {
            Ok(read) => taken.push(read),
            Err(reason) => verdict.refused = Some(reason),
        }
    }
    let mut engine = Engine::new();
    assert!(engine.add_rules(&taken).is_empty(), "each was tried alone");
    let numbers: HashMap<&str, usize> =
        rules.iter().enumerate().map(|(number, rule)| (rule.id.as_str(), number)).collect();
    for (number, event) in events.iter().enumerate() {
        let event = Value::Object(event.clone());
        for found in engine.evaluate(&JsonEvent::borrow(&event)) {
            let id = found.header.rule_id.expect("each rule has an id");
            verdicts[numbers[id.as_str()]].matched.push(number);
        }
    }
    verdicts
}

/// The rule as its parser has it, if its engine takes it too.
fn read(rule: &Rule) -> Result<rsigma_parser::SigmaRule, String> {
    let collection = rsigma_parser::parse_sigma_yaml(&rule.text).map_err(|error| error.to_string())?;
    if let Some(error) = collection.errors.first() {
        return Err(error.to_string());
    }
    let read = collection.rules.into_iter().next().ok_or("no rule was found")?;
    Engine::new().add_rule(&read).map_err(|error| error.to_string())?;
    Ok(read)
}
