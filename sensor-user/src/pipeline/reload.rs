//! Another set of rules takes over between two records: what is kept by a rule's place in the old set goes on
//! under its place in the new one.

use rustc_hash::FxHashMap;
use sigma::{Rule, RuleIndex, RuleSet};
use uuid::Uuid;

use super::Pipeline;
use super::undecided::Reason;
use crate::detection::Detections;

/// What a set of rules left behind.
#[derive(Debug)]
pub struct Retired {
    /// Freeing a large one takes a while.
    pub set: RuleSet,
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
        Retired { set: self.engine.replace(set), undecided: gone.len() as u64 }
    }
}

/// Where each rule is in the new set: written the same, or else by what people take for its identity.
fn successors(old: &RuleSet, new: &RuleSet) -> Vec<Option<RuleIndex>> {
    let index = (0..).map(RuleIndex);
    let places: FxHashMap<Identity<'_>, RuleIndex> = new.rules().iter().map(identity).zip(index).collect();
    let same = (0..).map(RuleIndex).map(|index| old.successor(index, new));
    let successor =
        |(rule, same): (&Rule, Option<RuleIndex>)| same.or_else(|| places.get(&identity(rule)).copied());
    old.rules().iter().zip(same).map(successor).collect()
}

type Identity<'a> = (Option<Uuid>, &'a str, &'a str);

fn identity(rule: &Rule) -> Identity<'_> {
    match (rule.id, rule.name.as_deref()) {
        (Some(id), _) => (Some(id), "", ""),
        (None, Some(name)) => (None, name, ""),
        (None, None) => (None, &rule.source, &rule.title),
    }
}
