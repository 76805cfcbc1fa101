//! The engine against a slow, obvious evaluator that shares nothing with it, on random rules and
//! random records; and the loader against random text.
//!
//! The evaluator compares value by value with a recursive wildcard match, knows no automata, no
//! witnesses and no order of evaluation, and works on the structure a rule was written from.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Owned, Sysmon, TestRecord, engine, explain, load, rule, truth};
use crate::{Presence, Taxonomy, Truth};

/// Fields of the random rules; few, so that they meet.
const FIELDS: [&str; 3] = ["Image", "CommandLine", "User"];
const PLACES: [&str; 4] = ["", "|contains", "|startswith", "|endswith"];

#[derive(Clone, Debug)]
enum Written {
    Null,
    Text(String),
}

#[derive(Clone, Debug)]
struct Item {
    field: &'static str,
    place: &'static str,
    cased: bool,
    all: bool,
    negated: bool,
    values: Vec<Written>,
}

#[derive(Clone, Debug)]
enum Condition {
    Selection(usize),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    /// At least this many of all selections.
    Of(usize),
}

#[derive(Clone, Debug)]
struct RandomRule {
    selections: Vec<Vec<Item>>,
    condition: Condition,
}

// ---- as a document ----

impl RandomRule {
    fn document(&self) -> String {
        let mut detection = String::new();
        for (index, items) in self.selections.iter().enumerate() {
            detection += &format!("s{index}:\n");
            for item in items {
                detection += &match item.values.as_slice() {
                    [Written::Null] => format!("  {}: null\n", item.key()),
                    values => values.iter().fold(format!("  {}:\n", item.key()), |whole, value| {
                        let Written::Text(text) = value else { panic!("null stands alone") };
                        format!("{whole}    - '{}'\n", text.replace('\'', "''"))
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
        let modifiers =
            [flag(self.cased, "cased"), flag(self.all, "all"), flag(self.negated, "neq")].concat();
        format!("{}{}{modifiers}", self.field, self.place)
    }
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::Selection(index) => format!("s{index}"),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(left, right) => format!("({}) and ({})", left.text(), right.text()),
            Self::Or(left, right) => format!("({}) or ({})", left.text(), right.text()),
            Self::Of(least) => format!("{least} of s*"),
        }
    }
}

// ---- the evaluator ----

fn lower(text: &str, cased: bool) -> Vec<char> {
    let one = |character: char| {
        let lower: Vec<char> = character.to_lowercase().collect();
        if lower.len() == 1 { lower[0] } else { character }
    };
    if cased { text.chars().collect() } else { text.chars().map(one).collect() }
}

/// Pattern characters: `Some` is itself, `None` with true is `*`, `None` with false is `?`.
fn pattern(text: &str) -> Vec<(Option<char>, bool)> {
    let characters: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let next = characters.get(at + 1);
        if characters[at] == '\\' && next.is_some_and(|next| "*?\\".contains(*next)) {
            out.push((next.copied(), false));
            at += 2;
            continue;
        }
        out.push(match characters[at] {
            '*' => (None, true),
            '?' => (None, false),
            other => (Some(other), false),
        });
        at += 1;
    }
    out
}

fn matches(pattern: &[(Option<char>, bool)], text: &[char], cased: bool) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(((None, true), rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..], cased)),
        Some(((None, false), rest)) => !text.is_empty() && matches(rest, &text[1..], cased),
        Some(((Some(expected), _), rest)) => {
            let expected = lower(&expected.to_string(), cased)[0];
            text.first() == Some(&expected) && matches(rest, &text[1..], cased)
        }
    }
}

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Unknown => Truth::Unknown,
    }
}

fn every(truths: &[Truth]) -> Truth {
    if truths.contains(&Truth::False) {
        Truth::False
    } else if truths.contains(&Truth::Unknown) {
        Truth::Unknown
    } else {
        Truth::True
    }
}

fn some(truths: &[Truth]) -> Truth {
    not(every(&truths.iter().map(|truth| not(*truth)).collect::<Vec<_>>()))
}

impl Item {
    fn ask(&self, record: &TestRecord) -> Truth {
        let answers: Vec<Truth> = self.values.iter().map(|value| self.ask_value(value, record)).collect();
        let linked = if self.all { every(&answers) } else { some(&answers) };
        if self.negated { not(linked) } else { linked }
    }

    fn ask_value(&self, written: &Written, record: &TestRecord) -> Truth {
        let field = Sysmon.field(self.field).unwrap();
        let found = record.fields.iter().find(|(known, ..)| *known == field);
        let (presence, values) =
            found.map_or((Presence::Absent, &[][..]), |(_, presence, values)| (*presence, values));
        let texts: Vec<String> = values.iter().map(text_of).collect();
        match written {
            Written::Null if !texts.is_empty() => Truth::False,
            Written::Null if presence == Presence::Pending => Truth::Unknown,
            Written::Null => Truth::True,
            Written::Text(text) => {
                let mut wanted = pattern(text);
                if matches!(self.place, "|contains" | "|endswith") {
                    wanted.insert(0, (None, true));
                }
                if matches!(self.place, "|contains" | "|startswith") {
                    wanted.push((None, true));
                }
                if texts.iter().any(|text| matches(&wanted, &lower(text, self.cased), self.cased)) {
                    Truth::True
                } else if presence == Presence::Pending {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            }
        }
    }
}

fn text_of(value: &Owned) -> String {
    match value {
        Owned::Text(text) => text.clone(),
        Owned::Number(number) => number.to_string(),
        Owned::Ip(address) => address.to_string(),
        Owned::Bool(flag) => flag.to_string(),
    }
}

impl RandomRule {
    fn ask(&self, record: &TestRecord) -> Truth {
        let selections: Vec<Truth> = self
            .selections
            .iter()
            .map(|items| every(&items.iter().map(|item| item.ask(record)).collect::<Vec<_>>()))
            .collect();
        // The joined tail is "x or not x": true, or unknown where x is.
        let any = some(&selections);
        every(&[self.condition.ask(&selections), some(&[any, not(any)])])
    }
}

impl Condition {
    fn ask(&self, selections: &[Truth]) -> Truth {
        match self {
            Self::Selection(index) => selections[*index],
            Self::Not(inner) => not(inner.ask(selections)),
            Self::And(left, right) => every(&[left.ask(selections), right.ask(selections)]),
            Self::Or(left, right) => some(&[left.ask(selections), right.ask(selections)]),
            Self::Of(least) => {
                let count = |truth| selections.iter().filter(|found| **found == truth).count();
                if count(Truth::True) >= *least {
                    Truth::True
                } else if count(Truth::True) + count(Truth::Unknown) >= *least {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            }
        }
    }
}

// ---- random rules and records ----

/// Short texts over few letters, so that rules and records meet often.
fn value_text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        select(vec!["a", "A", "b", "ab", "ä", "Ä", "*", "?", r"\", r"\*", r"\\", "1", " "]),
        0..5,
    )
    .prop_map(|parts| parts.concat())
}

fn record_text() -> impl Strategy<Value = String> {
    prop::collection::vec(select(vec!["a", "A", "b", "B", "ab", "ä", "Ä", "*", "?", r"\", "1", " "]), 0..7)
        .prop_map(|parts| parts.concat())
}

fn item() -> impl Strategy<Value = Item> {
    let place = select(PLACES.to_vec());
    (select(FIELDS.to_vec()), place, any::<[bool; 3]>(), prop::collection::vec(value_text(), 1..4), 0..6_u8)
        .prop_map(|(field, place, [cased, all, negated], texts, null)| {
            let mut values: Vec<Written> = texts.into_iter().map(Written::Text).collect();
            if null == 0 && place.is_empty() {
                values = vec![Written::Null];
            }
            let all = all && values.len() > 1;
            Item { field, place, cased, all, negated, values }
        })
}

fn condition(selections: usize) -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        3 => (0..selections).prop_map(Condition::Selection),
        1 => (1..=selections).prop_map(Condition::Of),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Condition::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Condition::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn random_rule() -> impl Strategy<Value = RandomRule> {
    let selection = prop::collection::vec(item(), 1..3).prop_map(|mut items: Vec<Item>| {
        items.sort_by_key(Item::key);
        items.dedup_by_key(|item| item.key());
        items
    });
    prop::collection::vec(selection, 1..4).prop_flat_map(|selections| {
        condition(selections.len())
            .prop_map(move |condition| RandomRule { selections: selections.clone(), condition })
    })
}

fn record() -> impl Strategy<Value = TestRecord> {
    let value = prop_oneof![
        6 => record_text().prop_map(Owned::Text),
        1 => (0..30_i64).prop_map(Owned::Number),
        1 => any::<bool>().prop_map(Owned::Bool),
    ];
    let presence = select(vec![Presence::Present, Presence::Present, Presence::Present, Presence::Pending]);
    let field = (presence, prop::collection::vec(value, 0..3));
    prop::collection::vec(prop::option::weighted(0.8, field), FIELDS.len()).prop_map(|fields| {
        let fields = FIELDS.iter().zip(fields);
        let fields = fields.filter_map(|(name, field)| {
            field.map(|(presence, values)| (Sysmon.field(name).unwrap(), presence, values))
        });
        TestRecord { fields: fields.collect(), ..TestRecord::default() }
    })
}

proptest! {
    // 256 cases, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_obvious_evaluator(
        random in random_rule(),
        records in prop::collection::vec(record(), 12),
    ) {
        let document = random.document();
        let mut engine = engine(&document);
        for record in &records {
            let (found, expected) = (truth(&mut engine, record), random.ask(record));
            prop_assert_eq!(found, expected, "{}\n{:?}", document, record);
        }
    }

    #[test]
    fn an_explanation_says_of_a_rule_what_the_engine_says(
        random in random_rule(),
        records in prop::collection::vec(record(), 4),
    ) {
        let document = random.document();
        let mut engine = engine(&document);
        for record in &records {
            let found = truth(&mut engine, record);
            let explained = explain(engine.set(), &document, record);
            prop_assert_eq!(explained.truth, found, "{}\n{:?}", document, record);
            prop_assert_eq!(explained.verdict(), found);
            for clause in &explained.detection.conditions {
                prop_assert!(!clause.parts.is_empty(), "{}", clause.text);
            }
            for search in &explained.detection.searches {
                prop_assert_eq!(search.truth, search.asks.truth());
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
