//! What an evaluator says of one rule.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Positions of the events that match, in order.
    pub(crate) matched: Vec<usize>,
    /// Why the evaluator does not take the rule, if it does not.
    pub(crate) refused: Option<String>,
}

impl Verdict {
    /// Events that one of the two matches and the other does not.
    pub(crate) fn differing(&self, other: &Self) -> Vec<usize> {
        let lacks = |verdict: &Self, number: &usize| verdict.matched.binary_search(number).is_err();
        let mine = self.matched.iter().filter(|number| lacks(other, number));
        mine.chain(other.matched.iter().filter(|number| lacks(self, number))).copied().collect()
    }
}
