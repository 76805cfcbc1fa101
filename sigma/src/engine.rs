//! Matching: one record against all rules of its log source.

use super::cost::{Clock, Cost, Meter, Outcome};
use super::matcher::ScanScratch;
use super::plan::{Numbered, Plan, PlannedRule};
use super::predicate::TextScratch;
use super::record::{LogSourceId, Record, Truth};
use super::rule::{FilterIndex, Rule, RuleIndex};
use super::rule_set::RuleSet;

/// What one record matched. Kept by the caller and reused, so that matching allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Rules that are true, in order of loading.
    pub matched: Vec<RuleIndex>,
    /// Rules that are neither true nor false until a pending field is known, or that a filter may yet keep back; in
    /// order of loading.
    pub pending: Vec<RuleIndex>,
    /// Rules that are true and that a filter keeps back, with the first such filter.
    pub suppressed: Vec<(RuleIndex, FilterIndex)>,
}

/// A rule set with the scratch space to run it. One for each task that matches.
#[derive(Debug, Default)]
pub struct Engine {
    set: RuleSet,
    scratch: Scratch,
    meter: Meter,
}

/// What is known about the record at hand. Grows to the largest plan, then stays.
#[derive(Debug, Default)]
struct Scratch {
    /// Literals found.
    found: BitSet,
    /// Positions of the rules to run.
    candidates: BitSet,
    /// By field of the plan: whether it is still pending; `None`: not read, as no candidate asked for it yet.
    pending: Vec<Option<bool>>,
    /// By lazy test: its answer, once asked.
    answers: Vec<Option<Truth>>,
    scan: ScanScratch,
    text: TextScratch,
}

impl Engine {
    #[must_use]
    pub fn new(set: RuleSet) -> Self {
        let meter = Meter::new(set.rules().len());
        Self { set, scratch: Scratch::default(), meter }
    }

    /// Takes the time of a sample of the evaluations by this clock; without one, no time is taken.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.meter.set_clock(clock);
        self
    }

    /// Runs other rules from now on; those that are [the same](RuleSet::successor) keep their costs. The old set
    /// comes back.
    pub fn replace(&mut self, set: RuleSet) -> RuleSet {
        self.meter.replace(set.rules().len(), |index| self.set.successor(index, &set));
        std::mem::replace(&mut self.set, set)
    }

    /// By rule, in order of loading. Those of correlations stay 0: they run elsewhere.
    #[must_use]
    pub fn costs(&self) -> &[Cost] {
        self.meter.rules()
    }

    /// What all rules share, since the engine was made: each record is read once for all of them. Its runs are the
    /// records, its matches those of all rules, its time that of reading; what the rules take comes on top.
    #[must_use]
    pub fn scan_cost(&self) -> Cost {
        self.meter.scan()
    }

    /// The rules that are run.
    #[must_use]
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// In order of loading.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        self.set.rules()
    }

    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.set.rule(index)
    }

    /// Does any rule look at records of this log source?
    #[must_use]
    pub fn watches(&self, source: LogSourceId) -> bool {
        self.set.plan(source).is_some_and(|plan| !plan.rules.is_empty())
    }

    /// Replaces the content of `found` with what `record` matches.
    pub fn evaluate(&mut self, record: &impl Record, found: &mut Matches) {
        found.matched.clear();
        found.pending.clear();
        found.suppressed.clear();
        let Some(plan) = self.set.plan(record.log_source()) else { return };
        let mut watch = self.meter.start();
        self.scratch.find_candidates(plan, record);
        self.meter.scanned(watch.as_mut());
        let Scratch { found: literals, candidates, pending, answers, text, scan } = &mut self.scratch;
        let mut ask = |number| match plan.test(number) {
            Some(Numbered::Literal { slot }) => {
                if let (Some(open @ None), Some(field)) = (pending.get_mut(slot), plan.fields.get(slot)) {
                    *open = Some(field.read(record, scan, &mut |literal| _ = literals.insert(literal)));
                }
                match pending.get(slot) {
                    _ if literals.contains(number) => Truth::True,
                    Some(Some(true)) => Truth::Unknown,
                    Some(Some(false) | None) | None => Truth::False,
                }
            }
            Some(Numbered::Lazy(test, at)) => match answers.get_mut(at) {
                Some(answer) => *answer.get_or_insert_with(|| test.ask(record, text)),
                None => test.ask(record, text),
            },
            // Programs only name tests of their own plan; one that is not there proves nothing.
            None => Truth::Unknown,
        };
        for position in candidates.iter() {
            let Some(rule) = plan.rules.get(position) else { continue };
            let outcome = match rule.program.run(&mut ask) {
                Truth::False => Outcome::Nothing,
                truth @ (Truth::True | Truth::Unknown) => {
                    found.add(rule.index, truth, filtered(plan, rule, &mut ask))
                }
            };
            self.meter.ran(rule.index, outcome, watch.as_mut());
        }
    }
}

/// What the filters before a rule say: the first that holds, or else whether one may yet.
enum Filtered {
    By(FilterIndex),
    Perhaps,
    Not,
}

fn filtered(plan: &Plan, rule: &PlannedRule, ask: &mut impl FnMut(u32) -> Truth) -> Filtered {
    let mut result = Filtered::Not;
    for (filter, program) in plan.filters(rule) {
        match program.run(ask) {
            Truth::True => return Filtered::By(filter),
            Truth::Unknown => result = Filtered::Perhaps,
            Truth::False => {}
        }
    }
    result
}

impl Matches {
    /// A rule that is not false. One that may be true and is kept back in any case has nothing to tell: it is not
    /// known to be true, so it was not suppressed, and waiting for it would change nothing.
    fn add(&mut self, rule: RuleIndex, truth: Truth, filtered: Filtered) -> Outcome {
        match (truth, filtered) {
            (Truth::False, _) | (Truth::Unknown, Filtered::By(_)) => Outcome::Nothing,
            (Truth::True, Filtered::By(filter)) => {
                self.suppressed.push((rule, filter));
                Outcome::Suppressed
            }
            (Truth::True, Filtered::Not) => {
                self.matched.push(rule);
                Outcome::Matched
            }
            (Truth::True, Filtered::Perhaps) | (Truth::Unknown, Filtered::Perhaps | Filtered::Not) => {
                self.pending.push(rule);
                Outcome::Nothing
            }
        }
    }
}

impl Scratch {
    /// Reads every field that has witnesses once, and gathers the rules worth running.
    fn find_candidates(&mut self, plan: &Plan, record: &impl Record) {
        self.found.reset(plan.literal_count());
        self.candidates.reset(plan.rules.len());
        self.pending.clear();
        self.answers.clear();
        self.answers.resize(plan.lazy_count(), None);
        let Self { found, candidates, scan, .. } = self;
        for field in &plan.fields {
            if field.witnessed.is_empty() {
                self.pending.push(None);
                continue;
            }
            let pending = field.read(record, scan, &mut |literal| {
                if found.insert(literal) {
                    plan.witnessed(literal).iter().for_each(|&rule| _ = candidates.insert(rule));
                }
            });
            self.pending.push(Some(pending));
            if pending {
                field.witnessed.iter().for_each(|&rule| _ = candidates.insert(rule));
            }
        }
        plan.always.iter().for_each(|&rule| _ = candidates.insert(rule));
    }
}

/// A set of small numbers.
#[derive(Debug, Default)]
struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// Empties the set and makes room for the numbers below `count`.
    fn reset(&mut self, count: usize) {
        self.words.clear();
        self.words.resize(count.div_ceil(64), 0);
    }

    /// Whether the number is new.
    fn insert(&mut self, number: u32) -> bool {
        let bit = 1 << (number % 64);
        match self.words.get_mut(number as usize / 64) {
            Some(word) => {
                let new = *word & bit == 0;
                *word |= bit;
                new
            }
            None => false,
        }
    }

    fn contains(&self, number: u32) -> bool {
        self.words.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// In ascending order.
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|rest| *rest != 0)
                .map(move |rest| index * 64 + rest.trailing_zeros() as usize)
        })
    }
}
