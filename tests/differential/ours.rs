//! This project's engine, asked about flat events.

use sigma::{Engine, Matches, Placeholders, RuleSet, Source};

use crate::host::Event;
use crate::record::{Everything, Flat};
use crate::rule::Rule;
use crate::verdict::Verdict;

/// What the engine says of every rule about every event. Each rule must load: it is a fault of ours, or of this
/// test, if one does not.
pub(crate) fn verdicts(rules: &[Rule], events: &[Event]) -> Vec<Verdict> {
    let taxonomy = Everything::default();
    let sources = rules.iter().map(|rule| Source::new(rule.id.clone(), rule.text.clone()));
    let set = RuleSet::load(sources, &taxonomy, &Placeholders::default()).unwrap_or_else(|refused| {
        let reasons: Vec<String> = refused.iter().take(10).map(ToString::to_string).collect();
        panic!("{} mistakes in the rules\n{}", refused.len(), reasons.join("\n"));
    });
    let mut engine = Engine::new(set);
    let mut verdicts = vec![Verdict::default(); rules.len()];
    let mut found = Matches::default();
    for (number, event) in events.iter().enumerate() {
        engine.evaluate(&Flat::new(event, &taxonomy), &mut found);
        assert!(found.pending.is_empty(), "all is known of these events");
        for rule in &found.matched {
            verdicts[rule.0 as usize].matched.push(number);
        }
    }
    verdicts
}
