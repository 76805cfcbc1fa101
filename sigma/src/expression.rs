//! A rule's detection as a boolean expression over tests, and the same flattened for speed.

use std::ops::Range;

use super::predicate::TestId;
use super::record::Truth;

/// What must hold for a rule to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Test(TestId),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    /// At least this many of them.
    AtLeast(usize, Vec<Expression>),
}

impl Expression {
    /// All of them; one alone is itself.
    pub(super) fn all_of(mut parts: Vec<Self>) -> Self {
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                Self::And(parts)
            }
        }
    }

    /// Any of them; one alone is itself. Of none it is true of nothing.
    pub(super) fn any_of(mut parts: Vec<Self>) -> Self {
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                Self::Or(parts)
            }
        }
    }

    /// Whether it is true where all its tests are false.
    pub(super) fn holds_of_nothing(&self) -> bool {
        match self {
            Self::Test(_) => false,
            Self::Not(inner) => !inner.holds_of_nothing(),
            Self::And(parts) => parts.iter().all(Self::holds_of_nothing),
            Self::Or(parts) => parts.iter().any(Self::holds_of_nothing),
            Self::AtLeast(least, parts) => {
                parts.iter().filter(|part| part.holds_of_nothing()).count() >= *least
            }
        }
    }

    pub(super) fn for_each_test(&self, each: &mut impl FnMut(TestId)) {
        match self {
            Self::Test(id) => each(*id),
            Self::Not(inner) => inner.for_each_test(each),
            Self::And(parts) | Self::Or(parts) | Self::AtLeast(_, parts) => {
                parts.iter().for_each(|part| part.for_each_test(each));
            }
        }
    }
}

/// One step of a [`Program`]; `T` names a test.
#[derive(Clone, Debug)]
enum Step {
    Test(u32),
    Not(u32),
    And(Range<u32>),
    Or(Range<u32>),
    AtLeast(u32, Range<u32>),
}

/// An expression in two flat arrays: steps, and the steps each group refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    steps: Vec<Step>,
    parts: Vec<u32>,
    root: u32,
}

impl Program {
    /// `number_of` gives a test its number in the plan; `lazy` says which numbers are answered
    /// only on demand, so that the cheap ones are asked first.
    pub(super) fn compile(
        expression: &Expression,
        number_of: &impl Fn(TestId) -> u32,
        lazy: &impl Fn(u32) -> bool,
    ) -> Self {
        let mut program = Self::default();
        program.root = program.add(expression, number_of, lazy);
        program
    }

    fn add(
        &mut self,
        expression: &Expression,
        number_of: &impl Fn(TestId) -> u32,
        lazy: &impl Fn(u32) -> bool,
    ) -> u32 {
        let step = match expression {
            Expression::Test(id) => Step::Test(number_of(*id)),
            Expression::Not(inner) => Step::Not(self.add(inner, number_of, lazy)),
            Expression::And(parts) => Step::And(self.add_group(parts, number_of, lazy)),
            Expression::Or(parts) => Step::Or(self.add_group(parts, number_of, lazy)),
            Expression::AtLeast(least, parts) => {
                let group = self.add_group(parts, number_of, lazy);
                Step::AtLeast(u32::try_from(*least).unwrap_or(u32::MAX), group)
            }
        };
        self.steps.push(step);
        index(self.steps.len() - 1)
    }

    /// Order does not matter to Kleene's connectives, so what is cheap comes first.
    fn add_group(
        &mut self,
        parts: &[Expression],
        number_of: &impl Fn(TestId) -> u32,
        lazy: &impl Fn(u32) -> bool,
    ) -> Range<u32> {
        let cost = |part: &&Expression| match part {
            Expression::Test(id) if !lazy(number_of(*id)) => 0,
            Expression::Test(_) => 2,
            Expression::Not(_) | Expression::And(_) | Expression::Or(_) | Expression::AtLeast(..) => 1,
        };
        let mut ordered: Vec<&Expression> = parts.iter().collect();
        ordered.sort_by_key(cost);
        let steps: Vec<u32> = ordered.into_iter().map(|part| self.add(part, number_of, lazy)).collect();
        let start = index(self.parts.len());
        self.parts.extend(steps);
        start..index(self.parts.len())
    }

    /// The tests it may ask for, by their numbers.
    pub(super) fn tests(&self) -> impl Iterator<Item = u32> {
        self.steps.iter().filter_map(|step| match step {
            Step::Test(number) => Some(*number),
            Step::Not(_) | Step::And(_) | Step::Or(_) | Step::AtLeast(..) => None,
        })
    }

    /// Runs the program; `ask` answers a test by its number.
    pub(super) fn run(&self, ask: &mut impl FnMut(u32) -> Truth) -> Truth {
        self.step(self.root, ask)
    }

    fn step(&self, at: u32, ask: &mut impl FnMut(u32) -> Truth) -> Truth {
        match self.steps.get(at as usize) {
            Some(Step::Test(number)) => ask(*number),
            Some(Step::Not(inner)) => self.step(*inner, ask).negated(),
            Some(Step::And(group)) => self.until(Truth::False, group, ask),
            Some(Step::Or(group)) => self.until(Truth::True, group, ask),
            Some(Step::AtLeast(least, group)) => self.count(*least, group, ask),
            // Programs are built whole by `compile`; a step that is not there proves nothing.
            None => Truth::Unknown,
        }
    }

    fn group(&self, group: &Range<u32>) -> &[u32] {
        self.parts.get(group.start as usize..group.end as usize).unwrap_or_default()
    }

    /// "And" (`decisive` is false) or "or" (`decisive` is true).
    fn until(&self, decisive: Truth, group: &Range<u32>, ask: &mut impl FnMut(u32) -> Truth) -> Truth {
        let mut result = decisive.negated();
        for &part in self.group(group) {
            let truth = self.step(part, ask);
            if truth == decisive {
                return decisive;
            }
            if truth == Truth::Unknown {
                result = Truth::Unknown;
            }
        }
        result
    }

    fn count(&self, least: u32, group: &Range<u32>, ask: &mut impl FnMut(u32) -> Truth) -> Truth {
        let (mut certain, mut possible) = (0, 0);
        for &part in self.group(group) {
            match self.step(part, ask) {
                Truth::True => certain += 1,
                Truth::Unknown => possible += 1,
                Truth::False => {}
            }
            if certain >= least {
                return Truth::True;
            }
        }
        if certain + possible >= least { Truth::Unknown } else { Truth::False }
    }
}

/// Steps of one rule are bounded by its document's size, far below 2³².
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Expression, Program};
    use crate::predicate::TestId;
    use crate::record::Truth;

    const ALL: [Truth; 3] = [Truth::True, Truth::False, Truth::Unknown];

    fn run(expression: &Expression, answers: &[Truth]) -> Truth {
        let number = |id: TestId| u32::try_from(id.0).unwrap();
        Program::compile(expression, &number, &|_| false).run(&mut |test| answers[test as usize])
    }

    /// Truth of a formula is known exactly if every way to settle the unknowns agrees; for these
    /// formulas, each test used once, Kleene's logic is exact.
    #[test]
    fn three_values_agree_with_every_settlement_of_the_unknowns() {
        let test = |number| Expression::Test(TestId(number));
        let formulas = [
            Expression::And(vec![test(0), test(1), test(2)]),
            Expression::Or(vec![test(0), Expression::And(vec![test(1), test(2)])]),
            Expression::AtLeast(2, vec![test(0), test(1), test(2)]),
            Expression::Not(Box::new(Expression::Or(vec![
                test(0),
                Expression::Not(Box::new(test(1))),
                test(2),
            ]))),
            Expression::AtLeast(1, vec![test(0), Expression::Not(Box::new(test(1))), test(2)]),
        ];
        for formula in &formulas {
            for answers in ALL.iter().flat_map(|&a| ALL.iter().flat_map(move |&b| ALL.map(|c| [a, b, c]))) {
                let settle =
                    |value: Truth, bit: bool| if value == Truth::Unknown { Truth::from(bit) } else { value };
                let settled: Vec<Truth> = (0..8)
                    .map(|bits: u8| {
                        let [a, b, c] = answers;
                        run(
                            formula,
                            &[settle(a, bits & 1 != 0), settle(b, bits & 2 != 0), settle(c, bits & 4 != 0)],
                        )
                    })
                    .collect();
                let expected = if settled.iter().all(|truth| *truth == settled[0]) {
                    settled[0]
                } else {
                    Truth::Unknown
                };
                assert_eq!(run(formula, &answers), expected, "{formula:?} {answers:?}");
            }
        }
    }
}
