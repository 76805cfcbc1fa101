//! The engine against a slow, obvious evaluator that shares nothing with it, on random rules and
//! random records; and the loader against random text.
//!
//! The evaluator compares value by value with a recursive wildcard match, knows no automata, no
//! witnesses and no order of evaluation, and works on the structure a rule was written from.

mod evaluator;
mod random;
mod text;

use proptest::prelude::*;

use super::{Sysmon, TestRecord, load, rule, truth};
use crate::{Engine, Explainer, Placeholders, RuleIndex, RuleSet, Source, Taxonomy};
use random::{RawRecord, random_rule, raw_record};

/// Fields of the random rules; few, so that they meet.
const FIELDS: [&str; 3] = ["Image", "CommandLine", "User"];
/// Values of the placeholders that the random rules use.
const FILLED: [(&str, &[&str]); 2] = [("p", &["a*", "b"]), ("q", &["A?", r"\*", "ab"])];

/// What is asked of each value of a field, and what is written about it.
#[derive(Clone, Debug)]
enum Test {
    /// Place, encodings and `cased` as they are written in the key.
    Text {
        place: &'static str,
        encodings: &'static str,
        cased: bool,
        expand: bool,
    },
    Null,
    Exists,
    FieldRef {
        place: &'static str,
        cased: bool,
    },
    Order(&'static str),
    Moment {
        part: &'static str,
        order: &'static str,
    },
    Cidr,
}

/// One line of a selection.
#[derive(Clone, Debug)]
struct Item {
    /// Without one the values are keywords.
    field: Option<&'static str>,
    test: Test,
    all: bool,
    negated: bool,
    values: Vec<String>,
}

#[derive(Clone, Debug)]
enum Condition {
    Selection(usize),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    /// At least this many of all selections.
    Of(usize),
    /// One, or all, of the selections with an even or an odd number.
    OfParity {
        odd: bool,
        all: bool,
    },
}

#[derive(Clone, Debug)]
struct RandomRule {
    selections: Vec<Vec<Item>>,
    condition: Condition,
}

/// A selection's name tells whether its number is odd.
fn name(index: usize) -> String {
    format!("s_{}{index}", if index.is_multiple_of(2) { "even" } else { "odd" })
}

// ---- as a document ----

impl RandomRule {
    fn document(&self) -> String {
        let mut detection = String::new();
        for (index, items) in self.selections.iter().enumerate() {
            detection += &format!("{}:\n", name(index));
            for item in items {
                let plain = matches!(item.test, Test::Null | Test::Exists);
                detection += &match item.values.as_slice() {
                    [only] if plain => format!("  {}: {only}\n", item.key()),
                    values => values.iter().fold(format!("  {}:\n", item.key()), |whole, value| {
                        format!("{whole}    - '{}'\n", value.replace('\'', "''"))
                    }),
                };
            }
        }
        // Every selection is used: those the condition leaves out are joined without effect.
        let tail = "and (1 of s* or not 1 of s*)";
        rule(&format!("{detection}condition: ({}) {tail}\n", self.condition.text()))
    }
}

impl Item {
    fn key(&self) -> String {
        let flag = |on: bool, name: &str| if on { format!("|{name}") } else { String::new() };
        let test = match &self.test {
            Test::Text { place, encodings, cased, expand } => {
                [flag(*expand, "expand"), (*encodings).to_owned(), (*place).to_owned(), flag(*cased, "cased")]
                    .concat()
            }
            Test::Null => String::new(),
            Test::Exists => "|exists".to_owned(),
            Test::FieldRef { place, cased } => format!("|fieldref{place}{}", flag(*cased, "cased")),
            Test::Order(order) => format!("|{order}"),
            Test::Moment { part, order } => format!("|{part}{order}"),
            Test::Cidr => "|cidr".to_owned(),
        };
        let key = [self.field.unwrap_or_default(), &test, &flag(self.all, "all"), &flag(self.negated, "neq")]
            .concat();
        // A keyword without modifiers still needs a key beside others.
        if key.is_empty() { "'|contains'".to_owned() } else { format!("'{key}'") }
    }
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::Selection(index) => name(*index),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(left, right) => format!("({}) and ({})", left.text(), right.text()),
            Self::Or(left, right) => format!("({}) or ({})", left.text(), right.text()),
            Self::Of(least) => format!("{least} of s*"),
            Self::OfParity { odd, all } => {
                format!("{} of {}", if *all { "all" } else { "1" }, if *odd { "s_odd*" } else { "*_even*" })
            }
        }
    }
}

// ---- against each other ----

fn placeholders() -> Placeholders {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    FILLED.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect()
}

fn engine(document: &str) -> Engine {
    let set = RuleSet::load([Source::new("test.yml", document)], &Sysmon, &placeholders());
    Engine::new(set.unwrap_or_else(|refused| {
        let told: String = refused.iter().map(|diagnostic| diagnostic.render(false)).collect();
        panic!("{told}\n{document}")
    }))
}

/// Puts values that the rule waits for in the places where the record leaves room for one.
fn filled_in(raw: &RawRecord, wanted: &[String]) -> TestRecord {
    let fields = FIELDS.iter().zip(raw).filter_map(|(name, field)| {
        let (presence, values) = field.as_ref()?;
        let field = Sysmon.field(name)?;
        Some((field, *presence, values.iter().map(|value| value.owned(wanted)).collect()))
    });
    TestRecord { fields: fields.collect(), ..TestRecord::default() }
}

proptest! {
    // 256 rules with 12 records each, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_obvious_evaluator(
        random in random_rule(),
        records in prop::collection::vec(raw_record(), 12),
    ) {
        let document = random.document();
        let mut engine = engine(&document);
        let wanted = random.wanted();
        for raw in &records {
            let record = filled_in(raw, &wanted);
            let (found, expected) = (truth(&mut engine, &record), random.ask(&record));
            prop_assert_eq!(found, expected, "{}\n{:?}", document, record);
        }
    }

    #[test]
    fn an_explanation_says_of_a_rule_what_the_engine_says(
        random in random_rule(),
        records in prop::collection::vec(raw_record(), 4),
    ) {
        let document = random.document();
        let mut engine = engine(&document);
        let wanted = random.wanted();
        for raw in &records {
            let record = filled_in(raw, &wanted);
            let found = truth(&mut engine, &record);
            let explainer = Explainer {
                set: engine.set(),
                sources: &[Source::new("test.yml", document.as_str())],
                taxonomy: &Sysmon,
                placeholders: &placeholders(),
            };
            let explained = explainer.explain(RuleIndex(0), &record).expect("the rule is known");
            prop_assert_eq!(explained.truth, found, "{}\n{:?}", document, record);
            prop_assert_eq!(explained.verdict(), found);
            for search in &explained.detection.searches {
                prop_assert_eq!(search.truth, search.asks.truth(), "{}\n{:?}", document, record);
            }
        }
    }

    #[test]
    fn the_loader_survives_any_text(noise in "[ -~äéfnort:|*'\"\\[\\]{}&!#%@>\n\t-]{0,200}", cut in 0..400_usize) {
        let sound = rule("s:\n  User|contains|all: [a, 'b*']\ncondition: 1 of s*");
        let mut at = cut.min(sound.len());
        while !sound.is_char_boundary(at) {
            at -= 1;
        }
        for text in [noise.clone(), format!("{}{noise}{}", &sound[..at], &sound[at..])] {
            for diagnostic in load(&text).err().into_iter().flatten() {
                prop_assert!(diagnostic.span.offset + diagnostic.span.len <= text.len());
                prop_assert!(!diagnostic.render(false).is_empty());
            }
        }
    }
}

/// The random rules and records do meet: every kind of test is seen to be true, false and open.
#[test]
fn random_rules_and_records_meet() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..600 {
        let random = random_rule().new_tree(&mut runner).expect("a rule").current();
        let wanted = random.wanted();
        for _ in 0..8 {
            let raw = raw_record().new_tree(&mut runner).expect("a record").current();
            let record = filled_in(&raw, &wanted);
            for item in random.selections.iter().flatten() {
                seen.insert((item.kind(), format!("{:?}", item.ask(&record))));
            }
        }
    }
    let kinds: std::collections::BTreeSet<_> = seen.iter().map(|(kind, _)| kind.clone()).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    for kind in kinds {
        for answer in ["True", "False", "Unknown"] {
            assert!(seen.contains(&(kind.clone(), answer.to_owned())), "{kind} is never {answer}");
        }
    }
}
