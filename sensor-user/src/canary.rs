//! The delivery canary: a harmless process of the agent's own, whose alert must come through kernel, rules, outbox and
//! every receiver that confirms. It touches nothing; what is looked at is the way of its alert.
//!
//! Here is what it looks like, and how far one is ([`Flight`]). Pure; `agent/canary.rs` starts the process and asks.

mod flight;

use crate::alert::Alert;

pub use flight::{Flight, Stage, Step};

/// Its rule. It is no folder of `rules/`: it detects nobody but the agent itself, and is at work only where the canary is.
pub const RULE: &str = include_str!("canary/rule.yml");
/// The name of that document, as of a detection's folder.
pub const NAME: &str = "delivery_canary";
/// The rule's id.
pub const RULE_ID: &str = "0b6a8f8e-5a1c-4f0d-9a55-6f4be8f3a7c2";

/// First word of its command line, whatever the binary is called; and the sub-command, which does nothing.
pub const PROGRAM: &str = "tidewaiter";
pub const COMMAND: &str = "canary";

/// Whether an alert is about a canary and nothing else: people are spared it. Who poses as one with a deed that any other
/// rule knows is told in full.
#[must_use]
pub fn is_alone(alert: &Alert) -> bool {
    alert.detection.id == RULE_ID
        && alert.related.is_empty()
        && alert.level == sigma::Level::Informational
        && alert.story.stages.is_empty()
}

#[cfg(test)]
mod tests {
    use sigma::{Placeholders, RuleSet, Source};

    use super::*;
    use crate::detection::Catalogue;
    use crate::event::field::Fields;
    use crate::sink::sample;

    #[test]
    fn the_engine_takes_its_rule_under_its_id() {
        let source = Source::new(NAME, RULE);
        let mut catalogue = Catalogue::default();
        catalogue.add(source.clone());
        let rules = RuleSet::load([source], &Fields, &Placeholders::default()).unwrap();
        let detections = catalogue.bind(rules.rules()).unwrap();
        let (detection, host) = detections.iter().next().unwrap();
        assert_eq!((detection.id.as_str(), detection.name.as_str()), (RULE_ID, NAME));
        assert_eq!((detection.level, host), (sigma::Level::Informational, sigma::Level::Informational));
    }

    #[test]
    fn only_a_lone_canary_is_spared_people() {
        let mut alert = sample::alert();
        assert!(!is_alone(&alert));
        alert.detection.id = RULE_ID.to_owned();
        (alert.level, alert.related) = (sigma::Level::Informational, Vec::new());
        alert.story.stages.clear();
        assert!(is_alone(&alert));
        let graver = Alert { level: sigma::Level::Low, ..alert.clone() };
        let more = Alert { related: vec![sample::detection()], ..alert.clone() };
        assert!(!is_alone(&graver) && !is_alone(&more));
    }
}
