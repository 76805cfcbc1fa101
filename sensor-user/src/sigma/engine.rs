//! Matching: one record against all rules of its log source.

use super::record::Record;
use super::rule::{Rule, RuleIndex};
use super::rule_set::RuleSet;

/// What one record matched. Kept by the caller and reused, so that matching allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Rules that are true, in order of loading.
    pub matched: Vec<RuleIndex>,
    /// Rules that are neither true nor false until a pending field is known, in order of loading.
    pub pending: Vec<RuleIndex>,
}

/// A rule set with the scratch space to run it.
#[derive(Debug)]
pub struct Engine {
    set: RuleSet,
}

impl Engine {
    #[must_use]
    pub fn new(set: RuleSet) -> Self {
        Self { set }
    }

    /// In order of loading.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        self.set.rules()
    }

    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules().get(usize::try_from(index.0).ok()?)
    }

    /// Replaces the content of `found` with what `record` matches.
    pub fn evaluate(&mut self, _record: &impl Record, found: &mut Matches) {
        found.matched.clear();
        found.pending.clear();
    }
}
