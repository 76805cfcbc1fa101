//! Another set of rules takes over between two records: what is kept by a rule's place in the old set goes on
//! under its place in the new one.

use rustc_hash::FxHashMap;
use sigma::{Engine, Rule, RuleIndex, RuleSet};
use uuid::Uuid;

use super::Pipeline;
use super::undecided::Reason;
use crate::detection::Detections;

/// What a set of rules left behind.
#[derive(Debug)]
pub struct Retired {
    /// It ran them; freeing a large one takes a while.
    pub engine: Engine,
    /// Matches that waited for a container's name, and whose rule is gone.
    pub undecided: u64,
}

impl Pipeline {
    /// Runs these rules from now on. Stories that are open keep what they were told; what waits for a
    /// container's name is judged by the rule as it is written then, and stays undecided where that is gone.
    pub fn reload(&mut self, set: RuleSet, detections: Detections) -> Retired {
        let successors = successors(self.engine.set(), &set);
        let successor = |rule: RuleIndex| successors.get(rule.0 as usize).copied().flatten();
        let gone = self.held.renumber(&successor);
        for (rule, container) in &gone {
            self.undecided.note(*rule, container, Reason::RuleGone);
        }
        self.undecided.renumber(&successor, &self.engine);
        self.correlations.adopt(self.engine.set(), &set);
        self.detections = detections;
        let engine = std::mem::replace(&mut self.engine, Engine::new(set));
        Retired { engine, undecided: gone.len() as u64 }
    }
}

/// Where each rule is in the new set, by what people take for its identity.
fn successors(old: &RuleSet, new: &RuleSet) -> Vec<Option<RuleIndex>> {
    let index = (0..).map(RuleIndex);
    let places: FxHashMap<Identity<'_>, RuleIndex> = new.rules().iter().map(identity).zip(index).collect();
    old.rules().iter().map(|rule| places.get(&identity(rule)).copied()).collect()
}

type Identity<'a> = (Option<Uuid>, &'a str, &'a str);

fn identity(rule: &Rule) -> Identity<'_> {
    match (rule.id, rule.name.as_deref()) {
        (Some(id), _) => (Some(id), "", ""),
        (None, Some(name)) => (None, name, ""),
        (None, None) => (None, &rule.source, &rule.title),
    }
}
