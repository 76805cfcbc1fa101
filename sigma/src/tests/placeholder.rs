//! Placeholders and taxonomies: what the host fills in, and what is said where it does not.

use super::{FIELDS, Sysmon, TestRecord, rule, truth};
use crate::{
    Diagnostic, Engine, FieldId, LogSource, LogSourceId, Placeholders, RuleSet, Source, Taxonomy, Truth,
};

fn placeholders(values: &[(&str, &[&str])]) -> Placeholders {
    let owned = |(name, values): &(&str, &[&str])| {
        ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    };
    values.iter().map(owned).collect()
}

fn load(detection: &str, placeholders: &Placeholders) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::load([Source::new("test.yml", rule(detection))], &Sysmon, placeholders)
}

fn fingerprint(detection: &str, values: &[(&str, &[&str])]) -> u64 {
    load(detection, &placeholders(values)).unwrap().rules()[0].fingerprint
}

#[test]
fn a_rule_is_another_when_a_placeholder_of_it_has_other_values() {
    let uses = "s:\n  User|expand: '%a%'\ncondition: s";
    let first = fingerprint(uses, &[("a", &["x"]), ("b", &["x"])]);
    assert_eq!(first, fingerprint(uses, &[("a", &["x"]), ("b", &["y"])]), "it does not use `b`");
    assert_ne!(first, fingerprint(uses, &[("a", &["y"]), ("b", &["x"])]));
    assert_ne!(first, fingerprint(uses, &[("a", &["x", "y"])]));
    let plain = uses.replace("|expand", "");
    assert_eq!(fingerprint(&plain, &[("a", &["x"])]), fingerprint(&plain, &[("a", &["y"])]));
    // Of two rules in one source only the one that uses it changes.
    let both = format!("{}---\n{}", rule(uses), rule(&plain));
    let marks = |value: &'static str| {
        let set = RuleSet::load(
            [Source::new("test.yml", both.as_str())],
            &Sysmon,
            &placeholders(&[("a", &[value])]),
        );
        set.unwrap().rules().iter().map(|rule| rule.fingerprint).collect::<Vec<_>>()
    };
    let (before, after) = (marks("x"), marks("y"));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
}

#[test]
fn what_is_wrong_with_a_placeholder_is_told_where_it_is_used() {
    let many: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = vec!["x"; 10_001];
    let known = placeholders(&[
        ("admins", &["root"]),
        ("none", &[]),
        ("many", &many),
        ("long", &long),
        ("broken", &["a("]),
        ("escaping", &["a)|(b"]),
        ("star", &["*"]),
    ]);
    for (item, under, says) in [
        ("User|expand: 'x%admin%'", "%admin%", "did you mean `admins`?"),
        ("User|expand: '%Domains%'", "%Domains%", "`Domains` under `placeholders` in the configuration"),
        ("User|expand: '%none%'", "%none%", "has no value"),
        ("User|expand: '%long%'", "%long%", "has 10001 values, at most 10000"),
        ("User|expand: '%many%-%many%'", "%many%", "more than 50000 questions"),
        ("User|re|expand: '^%broken%'", "%broken%", "`a(` is no regular expression"),
        ("User|re|expand: '^%escaping%'", "%escaping%", "`a)|(b` is no regular expression"),
        ("User|expand|base64: '%star%'", "'%star%'", "wildcard"),
        ("DestinationIp|cidr|expand: '%admins%'", "'%admins%'", "`root` is no network"),
        ("'|expand': '%star%'", "'%star%'", "every record"),
    ] {
        let text = rule(&format!("s:\n  {item}\ncondition: s"));
        let found = RuleSet::load([Source::new("test.yml", text.as_str())], &Sysmon, &known).unwrap_err();
        let [diagnostic] = found.as_slice() else { panic!("{item}: {found:?}") };
        let span = diagnostic.span;
        assert_eq!(&text[span.offset..span.offset + span.len], under, "{diagnostic}");
        assert!(diagnostic.to_string().contains(says), "{diagnostic}");
    }
}

/// An empty list of what is allowed: the items that ask for it are true of nothing, and what asks for the
/// opposite is true of all.
#[test]
fn a_list_that_may_be_empty_matches_nothing() {
    let empty = placeholders(&[("none", &[]), ("one", &["x"])]).allow_empty(["none"]);
    for item in [
        "User|expand: '%none%'",
        "User|expand: 'a%none%'",
        "User|expand: '%one%%none%'",
        "User|contains|expand: '%none%'",
        "User|re|expand: '.*%none%'",
        "User|expand|base64offset|contains: '%none%'",
        "DestinationIp|cidr|expand: '%none%'",
        "'|expand': '%none%'",
        "User|contains|expand|all: ['a', '%none%']",
    ] {
        for (condition, expected) in [
            ("s", Truth::False),
            ("t and s", Truth::False),
            ("t and not s", Truth::True),
            ("t or s", Truth::True),
            ("1 of them", Truth::True),
            ("all of them", Truth::False),
        ] {
            let other = if condition.contains('t') { "t:\n  User|endswith: a\n" } else { "" };
            let detection = format!("{other}s:\n  {item}\ncondition: {condition}");
            let mut engine = Engine::new(load(&detection, &empty).unwrap());
            let record = TestRecord::parse(["User=aa", "DestinationIp=10.0.0.1"]);
            assert_eq!(truth(&mut engine, &record), expected, "{detection}");
        }
    }
    // Beside it other values count, and what is not known yet does not matter.
    let mut engine = Engine::new(load("s:\n  User|expand: ['%none%', 'y']\ncondition: s", &empty).unwrap());
    assert_eq!(truth(&mut engine, &TestRecord::parse(["User=y"])), Truth::True);
    let neq = load("s:\n  User|neq|expand: '%none%'\ncondition: s", &empty).unwrap();
    assert_eq!(truth(&mut Engine::new(neq), &TestRecord::parse(["User=y"])), Truth::True);
    // Only the names that were given.
    let found = load("s:\n  User|expand: '%other%'\ncondition: s", &placeholders(&[("other", &[])]));
    assert!(found.unwrap_err()[0].message.contains("has no value"));
}

#[test]
fn values_and_encodings_together_stay_within_bounds() {
    let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found =
        load("s:\n  User|expand|windash: ' -a -b%many%'\ncondition: s", &placeholders(&[("many", &many)]));
    assert!(found.unwrap_err()[0].message.contains("more than 50000 questions"));
    let found = load("s:\n  User|expand: '%many%'\ncondition: s", &placeholders(&[("many", &many)]));
    let mut engine = Engine::new(found.unwrap());
    assert_eq!(truth(&mut engine, &TestRecord::parse(["User=9999"])), Truth::True);
    assert_eq!(truth(&mut engine, &TestRecord::parse(["User=10000"])), Truth::False);
}

/// A host with names of its own beside Sysmon's, some of them unusual.
struct Both;

/// Names of the taxonomy `own`, and the fields of Sysmon they stand for.
const OWN: [(&str, &str); 4] = [
    ("process.name", "Image"),
    ("process user", "User"),
    ("größe-(bytes)", "ProcessId"),
    ("@cmd:line", "CommandLine"),
];

impl Taxonomy for Both {
    fn field(&self, name: &str) -> Option<FieldId> {
        Sysmon.field(name)
    }

    fn field_names(&self) -> Vec<&'static str> {
        FIELDS.to_vec()
    }

    fn supports(&self, log_source: &LogSource) -> Option<LogSourceId> {
        Sysmon.supports(log_source)
    }

    fn field_of(&self, taxonomy: &str, name: &str) -> Option<FieldId> {
        let (_, field) = OWN.iter().find(|(known, _)| *known == name && taxonomy == "own")?;
        Sysmon.field(field)
    }

    fn taxonomies(&self) -> &[&'static str] {
        &["own"]
    }
}

#[test]
fn a_rule_may_use_the_names_of_another_taxonomy() {
    let load = |text: String| RuleSet::load([Source::new("t.yml", text)], &Both, &Placeholders::default());
    let own = "s:\n  process.name|endswith: sh\n  process user|fieldref: '@cmd:line'\n  größe-(bytes)|gt: 5\ncondition: s";
    let mut engine = Engine::new(load(rule(own) + "taxonomy: own\n").unwrap());
    let record = TestRecord::parse(["Image=/bin/sh", "User=x", "CommandLine=X", "ProcessId=#6"]);
    assert_eq!(truth(&mut engine, &record), Truth::True);
    let sysmon = rule("s:\n  Image: a\ncondition: s");
    assert!(load(sysmon.clone() + "taxonomy: sigma\n").is_ok());
    // The names of one taxonomy are none of the other, and the next document begins anew.
    let found = load(format!("{sysmon}taxonomy: own\n---\n{sysmon}")).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "the taxonomy `own` has no field `Image` that records have");
    assert_eq!(load(rule(own)).unwrap_err().len(), 3, "one for each key");
    let found = load(sysmon + "taxonomy: ecs\n").unwrap_err();
    assert!(found[0].help.as_deref().is_some_and(|help| help.contains("`sigma`, `own`")), "{}", found[0]);
}
