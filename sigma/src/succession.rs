//! Which rule of a new set is which of an old one: what is kept of a rule goes on where it is written the same.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::rule::{Rule, RuleIndex};

/// The rules of a set by what makes them themselves.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// By rule.
    identities: Vec<u64>,
    places: FxHashMap<u64, RuleIndex>,
}

impl Succession {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut succession = Self::default();
        let mut twins: FxHashMap<u64, u32> = FxHashMap::default();
        for (index, rule) in (0..).map(RuleIndex).zip(rules) {
            // Rules that are the same in all of it succeed one another in order.
            let twin =
                twins.entry(hash(&(rule.fingerprint, rule.id, &rule.title, &rule.source))).or_default();
            let identity = hash(&(rule.fingerprint, rule.id, &rule.title, &rule.source, *twin));
            *twin += 1;
            succession.identities.push(identity);
            succession.places.insert(identity, index);
        }
        succession
    }

    /// The place in `new` of the rule at `index` here, as far as hashes can tell.
    pub(super) fn find(&self, index: RuleIndex, new: &Self) -> Option<RuleIndex> {
        new.places.get(self.identities.get(index.0 as usize)?).copied()
    }
}

/// Whether two rules are the same rule, whatever stands before them in their document.
pub(super) fn is_same(one: &Rule, other: &Rule) -> bool {
    one.fingerprint == other.fingerprint
        && one.id == other.id
        && one.title == other.title
        && one.source == other.source
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}
