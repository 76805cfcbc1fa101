//! What is said while a field is pending stays true when it is known: no way to complete a record ever
//! contradicts a rule that was true or false before.

use proptest::prelude::*;
use proptest::sample::select;

use super::{FIELDS, Owned, Sysmon, TestRecord, engine, rule, truth};
use crate::{Presence, Taxonomy as _, Truth};

/// Fields of these rules: few, so that rules and records meet.
const ASKED: [&str; 3] = ["Image", "User", "DestinationPort"];

/// Every kind of test, of a field and what it may hold. `_` stands for the field.
const TESTS: [&str; 24] = [
    "_: a",
    "_: '*'",
    "_: ''",
    "_: null",
    "_|neq: null",
    "_|hour: 7",
    "_|week|neq: [1, 45]",
    "_|month|gte: 11",
    "_|contains|windash: ' -a'",
    "_|neq: a",
    "_|contains: a",
    "_|contains|all: [a, b]",
    "_|startswith|cased: A",
    "_|endswith: b",
    "_: 'a*b'",
    "_: '?'",
    "_|re: '^a+$'",
    "_|exists: true",
    "_|exists: false",
    "_|gt: 5",
    "_|lte: 5",
    "_|cidr: 10.0.0.0/8",
    "_|fieldref: ParentImage",
    "_|fieldref|endswith: ParentImage",
];

/// Joins of the selections `s0`, `s1` and `s2`.
const CONDITIONS: [&str; 14] = [
    "s0 and s1 and s2",
    "s0 and not s1 and s2",
    "s0 and not (s1 or s2)",
    "s0 or not s1 or s2",
    "not s0 and not s1 and not s2",
    "not (s0 and s1) or s2",
    "1 of s*",
    "not 1 of s*",
    "all of s*",
    "not all of s*",
    "2 of s*",
    "not 2 of s*",
    "s0 and not 2 of s*",
    "1 of s* and not (s1 and s2)",
];

fn selection() -> impl Strategy<Value = String> {
    let test = (select(ASKED.to_vec()), select(TESTS.to_vec()));
    prop::collection::vec(test, 1..3).prop_map(|mut tests| {
        let key = |(field, test): &(&str, &str)| test.split(':').next().map(|test| test.replace('_', field));
        tests.sort_by_key(key);
        tests.dedup_by_key(|test| key(test));
        tests.iter().map(|(field, test)| format!("  {}\n", test.replacen('_', field, 1))).collect()
    })
}

fn document() -> impl Strategy<Value = String> {
    (prop::collection::vec(selection(), 3), select(CONDITIONS.to_vec())).prop_map(
        |(selections, condition)| {
            let selections: String =
                (0..).zip(&selections).map(|(number, tests)| format!("s{number}:\n{tests}")).collect();
            // Every selection is used, also by a condition that leaves some out.
            rule(&format!("{selections}condition: ({condition}) or (s0 and s1 and s2 and not s0)\n"))
        },
    )
}

fn value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        6 => select(vec!["a", "A", "b", "ab", "aab", "", "?", "7", "10.1.2.3", "x /A", "2026-11-05T07:00:00Z"]).prop_map(|text| Owned::Text(text.to_owned())),
        2 => (0..10_i64).prop_map(Owned::Number),
        1 => any::<bool>().prop_map(Owned::Bool),
        1 => select(vec!["10.0.0.1", "::1"]).prop_map(|address| Owned::Ip(address.parse().expect("an address"))),
    ]
}

/// A field as it is now, and as it turns out: what was seen of it, and more, or no such field after all.
#[derive(Clone, Debug)]
struct Growing {
    presence: Presence,
    seen: Vec<Owned>,
    later: Vec<Vec<Owned>>,
}

/// Completions tried for each record.
const COMPLETIONS: usize = 8;

fn growing() -> impl Strategy<Value = Growing> {
    let presence = select(vec![Presence::Present, Presence::Absent, Presence::Pending, Presence::Pending]);
    let later = prop::collection::vec(prop::collection::vec(value(), 0..3), COMPLETIONS);
    (presence, prop::collection::vec(value(), 0..2), later).prop_map(|(presence, seen, later)| Growing {
        presence,
        seen,
        later,
    })
}

impl Growing {
    fn now(&self) -> (Presence, Vec<Owned>) {
        let seen = if self.presence == Presence::Absent { Vec::new() } else { self.seen.clone() };
        (self.presence, seen)
    }

    fn completed(&self, way: usize) -> (Presence, Vec<Owned>) {
        let (presence, mut values) = self.now();
        if presence != Presence::Pending {
            return (presence, values);
        }
        values.extend(self.later.get(way).into_iter().flatten().cloned());
        // With and without a value it may be there; without one it may as well not be.
        let is_absent = values.is_empty() && way.is_multiple_of(2);
        (if is_absent { Presence::Absent } else { Presence::Present }, values)
    }
}

fn record(fields: &[Growing], of: impl Fn(&Growing) -> (Presence, Vec<Owned>)) -> TestRecord {
    let names = ASKED.iter().chain(&["ParentImage"]);
    let fields = names.zip(fields).map(|(name, field)| {
        let (presence, values) = of(field);
        (Sysmon.field(name).expect("it is known"), presence, values)
    });
    TestRecord { fields: fields.collect(), ..TestRecord::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_stays_decided(
        document in document(),
        records in prop::collection::vec(prop::collection::vec(growing(), ASKED.len() + 1), 12),
    ) {
        let mut engine = engine(&document);
        for fields in &records {
            let now = record(fields, Growing::now);
            let before = truth(&mut engine, &now);
            for way in 0..COMPLETIONS {
                let later = record(fields, |field| field.completed(way));
                let after = truth(&mut engine, &later);
                prop_assert_ne!(after, Truth::Unknown, "nothing is pending: {} {:?}", document, later);
                if before != Truth::Unknown {
                    prop_assert_eq!(before, after, "{}\nnow {:?}\nlater {:?}", document, now, later);
                }
            }
        }
    }
}

/// Where every selection asks a field of its own, "unknown" is no excuse: the completions do differ.
#[test]
fn what_is_open_can_go_either_way() {
    assert!(ASKED.iter().all(|name| FIELDS.contains(name)));
    let ways: Vec<[&str; 3]> =
        (0..8).map(|bits| [0, 1, 2].map(|field| if bits >> field & 1 == 1 { "a" } else { "b" })).collect();
    for condition in CONDITIONS.iter().filter(|condition| condition.matches("s0").count() < 2) {
        // These name a selection twice: "unknown" may then be more careful than needed.
        if condition.contains("1 of s* and") || condition.contains("s0 and not 2 of") {
            continue;
        }
        let selections: String =
            (0..).zip(ASKED).map(|(number, field)| format!("s{number}:\n  {field}: a\n")).collect();
        let mut engine = engine(&rule(&format!("{selections}condition: {condition}\n")));
        for pending in 0..8_u8 {
            for known in &ways {
                let is_pending = |field: usize| pending >> field & 1 == 1;
                let of = |values: &[&str; 3], open: bool| {
                    let fields = ASKED.iter().zip(values).enumerate().map(|(at, (name, value))| {
                        let field = Sysmon.field(name).expect("it is known");
                        match open && is_pending(at) {
                            true => (field, Presence::Pending, Vec::new()),
                            false => (field, Presence::Present, vec![Owned::Text((*value).to_owned())]),
                        }
                    });
                    TestRecord { fields: fields.collect(), ..TestRecord::default() }
                };
                let ends: Vec<Truth> = ways
                    .iter()
                    .filter(|way| (0..3).all(|field| is_pending(field) || way[field] == known[field]))
                    .map(|way| truth(&mut engine, &of(way, false)))
                    .collect();
                let agreed = ends.iter().all(|end| *end == ends[0]);
                let expected = if agreed { ends[0] } else { Truth::Unknown };
                assert_eq!(
                    truth(&mut engine, &of(known, true)),
                    expected,
                    "{condition} {known:?} {pending:b}"
                );
            }
        }
    }
}
