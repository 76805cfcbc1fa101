//! Random rules and records: few fields and few letters, so that they meet.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Condition, FIELDS, Item, RandomRule, Test};
use crate::Presence;
use crate::tests::Owned;

const PLACES: [&str; 4] = ["", "|contains", "|startswith", "|endswith"];
const ORDERS: [&str; 4] = ["lt", "lte", "gt", "gte"];
/// Those that keep wildcards apart, and those that take none.
const ENCODINGS: [&str; 8] = [
    "|windash",
    "|wide",
    "|utf16be",
    "|base64",
    "|base64offset",
    "|wide|base64offset",
    "|utf16|base64",
    "|windash|base64",
];
const NETWORKS: [&str; 4] = ["10.0.0.0/8", "10.1.2.3/32", "192.168.64.0/18", "0.0.0.0/0"];

fn concat(parts: Vec<&'static str>, count: std::ops::Range<usize>) -> BoxedStrategy<String> {
    prop::collection::vec(select(parts), count).prop_map(|parts| parts.concat()).boxed()
}

fn value_text() -> BoxedStrategy<String> {
    concat(vec!["a", "A", "b", "ab", "ä", "Ä", "*", "?", r"\", r"\*", r"\\", "1", " ", "%p%"], 0..5)
}

/// A text with at least one placeholder in it.
fn template() -> BoxedStrategy<String> {
    let around = || concat(vec!["a", "b", "*", "?", r"\\", r"\%", "%q%", "Ä"], 0..3);
    (around(), select(vec!["%p%", "%q%"]), around())
        .prop_map(|(before, name, behind)| format!("{before}{name}{behind}"))
        .boxed()
}

/// A text that every encoding takes, long enough to leave something behind.
fn encodable() -> BoxedStrategy<String> {
    (concat(vec!["a", "b", " ", "/a", " -b", "\u{41}"], 1..4), select(vec!["curl", "-x y", "aab"]))
        .prop_map(|(before, behind)| before + behind)
        .boxed()
}

/// A test, and what one value of it may be.
fn test() -> BoxedStrategy<(Test, BoxedStrategy<String>)> {
    let place = || select(PLACES.to_vec());
    let text = (place(), any::<bool>())
        .prop_map(|(place, cased)| (Test::Text { place, encodings: "", cased, expand: false }, value_text()));
    let expand = (place(), any::<bool>())
        .prop_map(|(place, cased)| (Test::Text { place, encodings: "", cased, expand: true }, template()));
    let encoding =
        (place(), select(ENCODINGS.to_vec()), any::<bool>()).prop_map(|(place, encodings, cased)| {
            (Test::Text { place, encodings, cased, expand: false }, encodable())
        });
    let other = || select(FIELDS.to_vec()).prop_map(str::to_owned).boxed();
    let fieldref =
        (place(), any::<bool>()).prop_map(move |(place, cased)| (Test::FieldRef { place, cased }, other()));
    let order = select(ORDERS.to_vec()).prop_map(|order| {
        let bound = prop_oneof![(0..30_i64).prop_map(|whole| whole.to_string()), Just("7.5".to_owned())];
        (Test::Order(order), bound.boxed())
    });
    let parts = select(vec![
        ("minute", 0..60_i64),
        ("hour", 0..24),
        ("day", 1..32),
        ("week", 1..54),
        ("month", 1..13),
        ("year", 2024..2030),
    ]);
    let moment =
        (parts, select(vec!["", "|lt", "|lte", "|gt", "|gte"])).prop_map(|((part, range), order)| {
            (Test::Moment { part, order }, range.prop_map(|number| number.to_string()).boxed())
        });
    prop_oneof![
        8 => text,
        3 => expand,
        4 => encoding,
        1 => Just((Test::Null, Just("null".to_owned()).boxed())),
        1 => Just((Test::Exists, select(vec!["true".to_owned(), "false".to_owned()]).boxed())),
        2 => fieldref,
        2 => order,
        3 => moment,
        1 => Just((Test::Cidr, select(NETWORKS.to_vec()).prop_map(str::to_owned).boxed())),
    ]
    .boxed()
}

fn item() -> impl Strategy<Value = Item> {
    let tested = test().prop_flat_map(|(test, value)| {
        let most = if matches!(test, Test::Null | Test::Exists) { 1 } else { 3 };
        prop::collection::vec(value, 1..=most).prop_map(move |values| (test.clone(), values))
    });
    (select(FIELDS.to_vec()), tested, any::<[bool; 2]>(), 0..4_u8).prop_map(
        |(field, (test, values), [all, negated], keyword)| {
            let single = matches!(test, Test::Exists);
            let all = all && values.len() > 1;
            // A keyword that every record has is refused.
            let says = |value: &String| value.chars().any(|letter| !"*?".contains(letter));
            let fits = matches!(test, Test::Cidr | Test::Text { .. }) && values.iter().all(says);
            let field = (keyword > 0 || !fits).then_some(field);
            Item { field, test, all, negated: negated && !single, values }
        },
    )
}

fn condition(selections: usize) -> impl Strategy<Value = Condition> {
    let parity = (any::<bool>(), any::<bool>())
        .prop_map(move |(odd, all)| Condition::OfParity { odd: odd && selections > 1, all });
    let leaf = prop_oneof![
        3 => (0..selections).prop_map(Condition::Selection),
        1 => (1..=selections).prop_map(Condition::Of),
        1 => parity,
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

pub(super) fn random_rule() -> impl Strategy<Value = RandomRule> {
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

/// A value, or room for one that the rule waits for, with something before and behind it.
#[derive(Clone, Debug)]
pub(super) enum RawValue {
    Plain(Owned),
    Wanted(usize, &'static str, &'static str),
}

impl RawValue {
    pub(super) fn owned(&self, wanted: &[String]) -> Owned {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Wanted(at, before, behind) => {
                Owned::Text(format!("{before}{}{behind}", wanted[at % wanted.len()]))
            }
        }
    }
}

/// By field: whether it is there, and its values.
pub(super) type RawRecord = Vec<Option<(Presence, Vec<RawValue>)>>;

fn date() -> impl Strategy<Value = String> {
    let day = select(vec![
        "2026-11-05",
        "2024-02-29",
        "2027-01-01",
        "2024-12-30",
        "2025-06-15",
        "2028-03-31",
        "2026-07-09",
    ]);
    let time =
        select(vec!["", "T00:00:00Z", " 23:59:59.123", "T07:30:00+02:00", " 12:05:00", "T18:45:10.5Z"]);
    (day, time).prop_map(|(day, time)| format!("{day}{time}"))
}

fn raw_value() -> impl Strategy<Value = RawValue> {
    let text = concat(vec!["a", "A", "b", "B", "ab", "ä", "Ä", "*", "?", r"\", "1", " ", "%"], 0..7);
    let around = || select(vec!["", "", "", "a", " ", "xy"]);
    prop_oneof![
        6 => text.prop_map(|text| RawValue::Plain(Owned::Text(text))),
        5 => (any::<usize>(), around(), around()).prop_map(|(at, before, behind)| RawValue::Wanted(at, before, behind)),
        2 => date().prop_map(|text| RawValue::Plain(Owned::Text(text))),
        2 => (0..30_i64).prop_map(|number| RawValue::Plain(Owned::Number(number))),
        1 => any::<bool>().prop_map(|flag| RawValue::Plain(Owned::Bool(flag))),
        1 => select(vec!["10.1.2.3", "192.168.65.1", "::1"])
            .prop_map(|address| RawValue::Plain(Owned::Ip(address.parse().expect("an address")))),
    ]
}

pub(super) fn raw_record() -> impl Strategy<Value = RawRecord> {
    let presence = select(vec![Presence::Present, Presence::Present, Presence::Present, Presence::Pending]);
    let field = (presence, prop::collection::vec(raw_value(), 0..3));
    prop::collection::vec(prop::option::weighted(0.8, field), FIELDS.len())
}
