//! Mistakes in rules: found, placed, explained; and what belongs to a rule is kept.

use super::{Sysmon, load, rule};
use crate::{Diagnostic, Level, Placeholders, RuleSet, Source, Status};

fn refused(text: &str) -> Vec<Diagnostic> {
    load(text).err().unwrap_or_default()
}

/// A rule with a detection of one item.
fn item(item: &str) -> String {
    rule(&format!("selection:\n  {item}\ncondition: selection"))
}

/// A title of 257 letters.
const LONG: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A document, what is under the caret, and a part of what is said.
type Mistake = (String, &'static str, &'static str);

fn mistakes_in_items() -> Vec<Mistake> {
    vec![
        (item("Comandline: x"), "Comandline", "did you mean `CommandLine`?"),
        (item("CommandLine|contians: x"), "contians", "did you mean `contains`?"),
        (item("CommandLine|contains|i: x"), "i", "belongs behind `re`"),
        (item("CommandLine|contains|all: x"), "CommandLine|contains|all", "at least two values"),
        (item("CommandLine|re: 'a(?=b)'"), "'a(?=b)'", "look-around"),
        (item("CommandLine|re: 'a('"), "'a('", "unclosed group"),
        (item("DestinationIp|cidr: 10.0.0.1/8"), "10.0.0.1/8", "10.0.0.0/8"),
        (item("DestinationIp|cidr: ten"), "ten", "no network"),
        (item("DestinationPort|gt: many"), "many", "no decimal number"),
        (item("User|exists: maybe"), "maybe", "`true` or `false`"),
        (item("User|contains: null"), "null", "`null` has no text"),
        (item("User|fieldref: Usr"), "Usr", "did you mean `User`?"),
        (item("User|expand: 'a%x%'"), "%x%", "`placeholders` in the configuration"),
        (item("User|expand: '%administrators%'"), "%administrators%", "not configured"),
        (item("User|expand: '50%'"), "%", "begins no placeholder"),
        (item("User|base64|expand: '%x%'"), "expand", "write `expand` first"),
        (item("User|expand|gt: 5"), "gt", "takes no placeholders"),
        (item("User|hour: 24"), "24", "a whole number from 0 to 23"),
        (item("User|week|gte: 0"), "0", "from 1 to 53"),
        (item("User|month: May"), "May", "from 1 to 12"),
        (item("User|hour|month: 5"), "month", "parts of one date"),
        (item("User|day|contains: 5"), "contains", "compares text"),
        (item("User|re|ignorecase: a"), "ignorecase", "write `re|i`"),
        (item("User|contains|contains: a"), "contains", "twice"),
        (item("User|re: 5"), "5", "write `'5'`"),
        (item("User: [a, null]"), "null", "cannot stand in a list"),
        (item("User|exists: [true, false]"), "[true, false]", "one value"),
        (item("'|exists': true"), "'|exists'", "need a field"),
        (item("'|hour': 5"), "'|hour'", "need a field"),
        (item("'|all': [a]"), "'|all'", "at least two values"),
        (item("'|contains': null"), "null", "must be a text"),
        (item("'': a"), "''", "a field is missing"),
    ]
}

fn mistakes_in_documents() -> Vec<Mistake> {
    vec![
        (rule("s: '*'\ncondition: s"), "'*'", "every record"),
        (rule("s:\n  - ''\ncondition: s"), "''", "every record"),
        (rule("s:\n  - a\n  - null\ncondition: s"), "null", "must be a text"),
        (rule("s:\n  - [a, b]\ncondition: s"), "[a, b]", "not of lists"),
        (rule("s:\n  User: x\ncondition:\n  - s\n  - [s]"), "[s]", "must be a text"),
        (rule("_s:\n  User: x\ncondition: all of *"), "*", "no search identifier matches"),
        (item("User|base64: 'a*'"), "'a*'", "wildcard"),
        (item("User|utf16: a"), "a", "can never match"),
        (item("User: []"), "[]", "empty list"),
        (item("User: {a: b}"), "{a: b}", "a map"),
        (rule("s:\n  User: x\ncondition: s and t"), "t", "no search identifier `t`"),
        (rule("s:\n  User: x\ncondition: s AND s"), "AND", "lower case"),
        (rule("s:\n  User: x\ncondition: s | count() > 3"), "|", "aggregations"),
        (rule("s:\n  User: x\nt:\n  User: y\ncondition: s"), "t", "does not use"),
        (rule("s:\n  User: x\ntimeframe: 5m\ncondition: s"), "timeframe", "not part of Sigma 2"),
        (rule("s:\n  User: x\ncondition: s") + "levle: high\n", "levle", "did you mean `level`?"),
        (rule("s:\n  User: x\ncondition: s") + "level: hihg\n", "hihg", "did you mean `high`?"),
        (rule("s:\n  User: x\ncondition: s") + "id: 42\n", "42", "no UUID"),
        (rule("s:\n  User: x\ncondition: s") + "status: done\n", "done", "no status"),
        (rule("s:\n  User: x\ncondition: s") + "tags: [T1105]\n", "T1105", "no tag"),
        (
            rule("s:\n  User: x\ncondition: s") + "fields: [User, Usr, User]\n",
            "User",
            "`fields` says this twice",
        ),
        (rule("s:\n  User: x\ncondition: s") + "taxonomy: ecs\n", "ecs", "taxonomy"),
        (rule("s:\n  User: x\ncondition: s") + "taxonomy: sigmo\n", "sigmo", "did you mean `sigma`?"),
        (rule("s:\n  User: x\ncondition: s").replace("Test", LONG), LONG, "257 characters, Sigma allows 256"),
        (
            rule("s:\n  User: x\ncondition: s")
                + "related:\n  - id: 5b0b75dc-9190-4047-b9a8-14164cee8a31\n    type: derivd\n",
            "derivd",
            "did you mean `derived`?",
        ),
        (rule("s:\n  User: x\ncondition: s") + "date: 2026/11/05\n", "2026/11/05", "YYYY-MM-DD"),
        (rule("s:\n  User: x\ncondition: s") + "modified: 2026-02-30\n", "2026-02-30", "no date"),
        (
            rule("s:\n  User: x\ncondition: s").replace("product:", "prodct:"),
            "prodct",
            "did you mean `product`?",
        ),
        (rule("s:\n  User: x\ncondition: s") + "action: globl\n", "globl", "did you mean `global`?"),
        (rule("s:\n  User: x\ncondition: s") + "action: repeat\n", "title: Test", "nothing before this"),
        (rule("s:\n  User: x\ncondition: s") + "action: [global]\n", "action", "must be a text"),
        (format!("action: reset\ntitle: x\n---\n{}", item("User: x")), "title", "stands alone"),
        (format!("action: global\nname: x\n---\n{}", item("User: x")), "name", "give each rule its own"),
        (format!("action: global\ntitle: x\n---\n{}", item("User: x")), "title", "in line 2"),
        (
            rule("s:\n  User: x\ncondition: s").replace("linux", "windows"),
            "category: process_creation",
            "log source",
        ),
    ]
}

/// Every text is refused once, with this part of the document under the caret.
#[test]
fn the_caret_stands_under_the_mistake() {
    for (text, under, says) in [mistakes_in_items(), mistakes_in_documents()].concat() {
        let found = refused(&text);
        let [diagnostic] = found.as_slice() else { panic!("{text}\n{found:#?}") };
        let span = diagnostic.span;
        assert_eq!(&text[span.offset..span.offset + span.len], under, "{text}\n{diagnostic}");
        assert!(diagnostic.to_string().contains(says), "{says}: {diagnostic}");
        assert!(
            diagnostic.render(false).contains(under.lines().next().unwrap()),
            "{}",
            diagnostic.render(false)
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    let found = refused("description: x\n");
    let told: Vec<_> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(
        told,
        ["the rule has no `title`", "the rule has no `logsource`", "the rule has no `detection`"]
    );
    assert!(refused(&rule("s:\n  User: x"))[0].message.contains("no `condition`"));
    assert!(refused("")[0].message.contains("holds no rule"));
    assert!(refused("- a\n")[0].message.contains("must be a map"));
}

#[test]
fn a_mistake_hides_no_other_and_refuses_the_set() {
    let good = rule("s:\n  User: x\ncondition: s");
    let sources = [
        Source::new("broken.yml", "title: 'x\n"),
        Source::new("good.yml", good.clone()),
        Source::new("two.yml", item("Usr: x") + "level: hihg\n---\n" + &item("Imge: x")),
    ];
    let found = RuleSet::load(sources, &Sysmon, &Placeholders::default()).unwrap_err();
    let places: Vec<_> =
        found.iter().map(|diagnostic| (diagnostic.source.as_str(), diagnostic.line)).collect();
    assert_eq!(places[1..], [("two.yml", 7), ("two.yml", 9), ("two.yml", 17)], "{found:#?}");
    assert_eq!(places[0].0, "broken.yml");
    let found = refused(&(item("Usr: x") + "levle: high\n"));
    assert_eq!(
        found.iter().map(|diagnostic| diagnostic.line).collect::<Vec<_>>(),
        [7, 9],
        "in order of place"
    );
    assert_eq!(load(&good).unwrap().rules().len(), 1);
}

#[test]
fn an_id_is_taken_once_across_sources() {
    let text = rule("s:\n  User: x\ncondition: s") + "id: 5b0b75dc-9190-4047-b9a8-14164cee8a31\n";
    let found = RuleSet::load(
        [Source::new("a.yml", text.clone()), Source::new("b.yml", text)],
        &Sysmon,
        &Placeholders::default(),
    )
    .unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].source, "b.yml");
    assert!(found[0].message.contains("a.yml:1"), "{}", found[0]);
}

#[test]
fn everything_written_about_a_rule_is_kept() {
    let text = rule("s:\n  User: x\ncondition: s")
        + "id: 5b0b75dc-9190-4047-b9a8-14164cee8a31\nname: transfer\nstatus: test\nlevel: high\nauthor: A\n\
           description: |\n  two\n  lines\nreferences: [https://a.example]\ntags: [attack.t1105, attack.command-and-control]\n\
           falsepositives:\n  - administrators\nfields: [User]\ndate: 2026-01-02\nmodified: 2026-01-03\nlicense: MIT\n\
           scope: [server]\nsimulation: atomic\nrelated:\n  - id: 5b0b75dc-9190-4047-b9a8-14164cee8a32\n    type: similar\n\
           host_level: medium\nresponse:\n  - isolate\n";
    let text = text.replace("  product:", "  definition: 'exec'\n  requirements: auditd\n  product:");
    let set = load(&text).unwrap();
    let rule = &set.rules()[0];
    assert_eq!(rule.scope, ["server"]);
    assert_eq!(rule.related[0].relation, crate::Relation::Similar);
    assert_eq!(rule.log_source.definition.as_deref(), Some("exec"));
    assert_eq!(rule.custom_text("logsource.requirements"), Some("auditd"));
    assert_eq!(rule.custom_text("simulation"), Some("atomic"));
    assert_eq!((rule.title.as_str(), rule.level, rule.status), ("Test", Level::High, Some(Status::Test)));
    assert_eq!(rule.id.unwrap().to_string(), "5b0b75dc-9190-4047-b9a8-14164cee8a31");
    assert_eq!(rule.description.as_deref(), Some("two\nlines"));
    assert_eq!(rule.tags, ["attack.t1105", "attack.command-and-control"]);
    assert_eq!(rule.false_positives, ["administrators"]);
    assert_eq!(rule.log_source.to_string(), "linux/process_creation");
    assert_eq!(rule.custom_text("host_level"), Some("medium"));
    assert_eq!(rule.custom["response"][0], "isolate");
    assert_eq!((rule.source.as_str(), rule.line, rule.date.as_deref()), ("test.yml", 1, Some("2026-01-02")));
    assert_eq!(serde_json::to_value(rule).unwrap()["level"], "high");
}

#[test]
fn a_small_file_cannot_unfold_to_gigabytes() {
    let dashes = "  - '-a -b -c -d'\n".repeat(10_000);
    let found = refused(&rule(&format!(
        "s:\n  CommandLine|windash:\n{}condition: s",
        dashes.replace("  -", "    -")
    )));
    assert!(found[0].message.contains("asks more than"), "{}", found[0]);
    let values = "    - x\n".repeat(1_000);
    let mentions = vec!["s"; 10_000].join(" or ");
    let found = refused(&rule(&format!("s:\n  User:\n{values}condition: {mentions}")));
    assert!(found[0].message.contains("asks more than"), "{}", found[0]);
}

#[test]
fn a_flood_of_mistakes_is_counted_and_not_told() {
    let refused = load(&format!("title: T\ntags: [{}]\n", "X, ".repeat(30_000))).unwrap_err();
    assert_eq!(refused.len(), 101);
    let last = refused.iter().find(|refused| refused.message.contains("more mistakes")).unwrap();
    let words: Vec<_> = last.message.split(' ').collect();
    assert!(words.iter().filter_map(|word| word.parse::<usize>().ok()).any(|count| count > 29_000), "{last}");
    let names: String = (0..300)
        .map(|number| {
            format!(
                "---\ntitle: C\nname: n{number}\ncorrelation: {{type: event_count, rules: [m{number}], \
                 timespan: 1m, condition: {{gte: 1}}}}\n"
            )
        })
        .collect();
    let refused = load(&format!("{}{names}", rule("s:\n  Image: a\ncondition: s\n"))).unwrap_err();
    assert_eq!(refused.len(), 101, "{}", refused[0]);
    let refused = load(&"action: x\n---\n".repeat(3_000)).unwrap_err();
    assert!(refused.len() < 110, "{}", refused.len());
}

#[test]
fn many_large_regular_expressions_are_refused_together() {
    let values: String =
        (0..60).map(|number| format!("    - '(\\w{{0,{}}}){{1,3}}'\n", 60 + number)).collect();
    let refused = load(&rule(&format!("s:\n  Image|re:\n{values}condition: s\n"))).unwrap_err();
    assert!(refused.iter().any(|refused| refused.message.contains("take more than")), "{}", refused[0]);
}
