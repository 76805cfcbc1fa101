//! How the rules of one log source are run: their tests numbered, their witnesses indexed.
//!
//! A witness of a rule is a set of literals of which at least one must be found before the rule
//! can be true. Only rules with a witness found, or none to look for, run at all.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::expression::{Expression, Program};
use super::filter::FilterTable;
use super::matcher::{FieldMatcher, Literal};
use super::pattern::Place;
use super::predicate::{Predicate, Test, TestId, TestTable};
use super::record::FieldId;
use super::rule::{FilterIndex, RuleIndex};

/// A literal this long is as rare as one can be; see [`rarity_cost`].
const RARE_LENGTH: u32 = 16;

/// Everything needed to match records of one log source.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rules: Vec<PlannedRule>,
    /// In order of loading; those that stand before any of its rules.
    filters: Vec<(FilterIndex, Program)>,
    pub(super) fields: Vec<FieldMatcher>,
    /// By literal: which of `fields` it belongs to.
    slots: Vec<u32>,
    /// Tests answered on demand; their numbers follow those of the literals.
    lazy: Vec<Test>,
    /// By literal: positions of the rules it is a witness of.
    witnesses: Vec<Vec<u32>>,
    /// Positions of the rules without a witness.
    pub(super) always: Vec<u32>,
}

/// A rule ready to run.
#[derive(Debug)]
pub(super) struct PlannedRule {
    pub(super) index: RuleIndex,
    pub(super) program: Program,
    /// Positions of the filters before it, in order of loading.
    filters: Box<[u32]>,
}

/// A test of a plan by its number.
pub(super) enum Numbered<'a> {
    Literal {
        slot: usize,
    },
    /// The second is its position among the lazy tests.
    Lazy(&'a Test, usize),
}

impl Plan {
    pub(super) fn build(rules: &[(RuleIndex, Expression)], table: &FilterTable, tests: &TestTable) -> Self {
        let mut used: Vec<FilterIndex> =
            rules.iter().flat_map(|(rule, _)| table.of(*rule)).copied().collect();
        used.sort_unstable();
        used.dedup();
        let filters: Vec<(FilterIndex, &Expression)> = used
            .iter()
            .filter_map(|filter| Some((*filter, table.expressions.get(filter.0 as usize)?)))
            .collect();
        let expressions =
            || rules.iter().map(|(_, rule)| rule).chain(filters.iter().map(|(_, filter)| *filter));
        let (literals, lazy) = collect(expressions(), tests);
        let numbers: FxHashMap<TestId, u32> = literals.iter().chain(&lazy).copied().zip(0..).collect();
        let first_lazy = number(literals.len());
        let number_of = |id: TestId| numbers.get(&id).copied().unwrap_or(u32::MAX);
        let compile = |expression| Program::compile(expression, &number_of, &|test| test >= first_lazy);
        let position = |filter: &FilterIndex| used.binary_search(filter).ok().map(number);
        let planned = rules.iter().map(|(rule, expression)| PlannedRule {
            index: *rule,
            program: compile(expression),
            filters: table.of(*rule).iter().filter_map(position).collect(),
        });
        let (fields, slots) = build_fields(&literals, tests);
        let mut plan = Self {
            rules: planned.collect(),
            filters: filters.iter().map(|(filter, expression)| (*filter, compile(expression))).collect(),
            fields,
            slots,
            lazy: lazy.iter().filter_map(|id| tests.get(*id)).cloned().collect(),
            witnesses: vec![Vec::new(); literals.len()],
            always: Vec::new(),
        };
        for (position, (_, expression)) in (0..).zip(rules) {
            plan.index_witness(position, expression, tests, &number_of);
        }
        plan
    }

    /// The filters before a rule, in order of loading.
    pub(super) fn filters<'p>(
        &'p self,
        rule: &'p PlannedRule,
    ) -> impl Iterator<Item = (FilterIndex, &'p Program)> {
        let filters = rule.filters.iter().filter_map(|&at| self.filters.get(at as usize));
        filters.map(|(index, program)| (*index, program))
    }

    /// The fields that a rule asks for, whatever it asks of them.
    pub(super) fn fields_of(&self, rule: &PlannedRule) -> BTreeSet<FieldId> {
        let mut fields = BTreeSet::new();
        for number in rule.program.tests() {
            match self.test(number) {
                Some(Numbered::Literal { slot }) => fields.extend(self.fields.get(slot).map(|it| it.field)),
                Some(Numbered::Lazy(Test { field, predicate }, _)) => {
                    fields.insert(*field);
                    if let Predicate::SameAs { other, .. } = predicate {
                        fields.insert(*other);
                    }
                }
                None => {}
            }
        }
        fields
    }

    fn index_witness(
        &mut self,
        position: u32,
        expression: &Expression,
        table: &TestTable,
        number_of: &impl Fn(TestId) -> u32,
    ) {
        let Some(witness) = Witness::of(expression, table) else {
            self.always.push(position);
            return;
        };
        for id in witness.literals {
            let literal = number_of(id) as usize;
            if let Some(rules) =
                self.witnesses.get_mut(literal).filter(|rules| rules.last() != Some(&position))
            {
                rules.push(position);
            }
            let field = self.slots.get(literal).and_then(|slot| self.fields.get_mut(*slot as usize));
            if let Some(field) = field.filter(|field| field.witnessed.last() != Some(&position)) {
                field.witnessed.push(position);
            }
        }
    }

    pub(super) fn literal_count(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn lazy_count(&self) -> usize {
        self.lazy.len()
    }

    /// Positions of the rules that a found literal makes candidates.
    pub(super) fn witnessed(&self, literal: u32) -> &[u32] {
        self.witnesses.get(literal as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn test(&self, number: u32) -> Option<Numbered<'_>> {
        let number = number as usize;
        match self.slots.get(number) {
            Some(slot) => Some(Numbered::Literal { slot: *slot as usize }),
            None => {
                let position = number - self.slots.len();
                self.lazy.get(position).map(|test| Numbered::Lazy(test, position))
            }
        }
    }
}

/// The tests of all expressions, each once: literals, and those that are answered on demand.
fn collect<'e>(
    expressions: impl Iterator<Item = &'e Expression>,
    tests: &TestTable,
) -> (Vec<TestId>, Vec<TestId>) {
    let (mut literals, mut lazy) = (Vec::new(), Vec::new());
    let mut seen: FxHashSet<TestId> = FxHashSet::default();
    for expression in expressions {
        expression.for_each_test(&mut |id| {
            if seen.insert(id) {
                let literal =
                    matches!(tests.get(id), Some(Test { predicate: Predicate::Literal { .. }, .. }));
                if literal { literals.push(id) } else { lazy.push(id) }
            }
        });
    }
    (literals, lazy)
}

/// One matcher for each field, and the field of every literal.
fn build_fields(literals: &[TestId], table: &TestTable) -> (Vec<FieldMatcher>, Vec<u32>) {
    let mut grouped: Vec<(FieldId, Vec<Literal>)> = Vec::new();
    let mut slots = Vec::with_capacity(literals.len());
    for (number, test) in (0..).zip(literals.iter().filter_map(|id| table.get(*id))) {
        let Predicate::Literal { place, text, cased } = &test.predicate else { continue };
        let slot = grouped.iter().position(|(field, _)| *field == test.field).unwrap_or_else(|| {
            grouped.push((test.field, Vec::new()));
            grouped.len() - 1
        });
        slots.push(u32::try_from(slot).unwrap_or(u32::MAX));
        let literal = Literal { number, place: *place, text: text.clone(), cased: *cased };
        if let Some((_, group)) = grouped.get_mut(slot) {
            group.push(literal);
        }
    }
    let fields = grouped.into_iter().map(|(field, group)| FieldMatcher::build(field, group));
    (fields.collect(), slots)
}

/// Literals of which one must be true for an expression to be true.
struct Witness {
    literals: Vec<TestId>,
    /// How often one of them will be found, relative to other witnesses.
    cost: u64,
}

impl Witness {
    fn of(expression: &Expression, table: &TestTable) -> Option<Self> {
        match expression {
            Expression::Test(id) => match &table.get(*id)?.predicate {
                Predicate::Literal { place, text, .. } => {
                    Some(Self { literals: vec![*id], cost: rarity_cost(*place, text) })
                }
                Predicate::Glob(_)
                | Predicate::Regex(_)
                | Predicate::Cidr(_)
                | Predicate::Order(..)
                | Predicate::Moment(..)
                | Predicate::Exists
                | Predicate::Anything
                | Predicate::Null
                | Predicate::SameAs { .. } => None,
            },
            Expression::Not(_) => None,
            Expression::And(parts) => {
                parts.iter().filter_map(|part| Self::of(part, table)).min_by_key(|witness| witness.cost)
            }
            Expression::Or(parts) | Expression::AtLeast(_, parts) => {
                let mut all = Self { literals: Vec::new(), cost: 0 };
                for part in parts {
                    let witness = Self::of(part, table)?;
                    all.literals.extend(witness.literals);
                    all.cost = all.cost.saturating_add(witness.cost);
                }
                Some(all)
            }
        }
    }
}

/// Every further byte halves the chance of an occurrence; a literal that may stand anywhere in a
/// value has about sixteen chances where a bound one has one.
fn rarity_cost(place: Place, text: &str) -> u64 {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).min(RARE_LENGTH);
    let chances = match place {
        Place::Whole => 0,
        Place::Start | Place::End => 1,
        Place::Anywhere => 4,
    };
    1 << (RARE_LENGTH - length + chances)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
