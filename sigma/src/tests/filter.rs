//! Filters: what is refused of them, which rules they stand before, and what they keep back.

use super::{Sysmon, TestRecord, engine, load, rule};
use crate::{Engine, FilterIndex, Matches, Placeholders, RuleIndex, RuleSet, Source, Truth};

const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

/// Two rules, the second with a name and a log source that says less, and a third for other records.
fn rules() -> String {
    format!(
        "title: First\nid: {FIRST}\nlogsource: {{category: process_creation, product: linux}}\n\
         detection: {{s: {{Image: a}}, condition: s}}\n---\n\
         title: Second\nid: {SECOND}\nname: second\nlogsource: {{category: process_creation}}\n\
         detection: {{s: {{CommandLine|contains: b}}, condition: s}}\n---\n\
         title: Third\nname: third\nlogsource: {{category: file_event, product: linux}}\n\
         detection: {{s: {{Image: a}}, condition: s}}\n---\n"
    )
}

fn filter(log_source: &str, body: &str) -> String {
    format!("title: Site\nlogsource: {{{log_source}}}\nfilter:\n  {}\n", body.replace('\n', "\n  "))
}

const PROCESSES: &str = "category: process_creation, product: linux";

/// The filter is refused, beside the rules, with a message that starts like this.
fn assert_refused(document: &str, expected: &str) {
    let sources = [Source::new("rules", rules()), Source::new("site", document)];
    let refused = RuleSet::load(sources, &Sysmon, &Placeholders::default());
    let told: Vec<String> = refused.err().into_iter().flatten().map(|found| found.to_string()).collect();
    let expected = format!("site:{expected}");
    assert!(told.iter().any(|told| told.starts_with(&expected)), "{expected}\n{told:#?}\n{document}");
}

#[test]
fn a_mistake_in_a_filter_is_shown_at_its_place() {
    let selection = "s: {User: root}\ncondition: s";
    for (document, expected) in [
        // The fields it must have, and those it must not.
        (
            "logsource: {product: linux}\nfilter: {rules: any, s: {User: a}, condition: s}",
            "1:1: the rule has no `title`",
        ),
        ("title: t\nfilter: {rules: any, s: {User: a}, condition: s}", "1:1: the rule has no `logsource`"),
        ("title: t\nlogsource: {product: linux}\nfilter: x", "3:9: `filter` must be a map, this is a text"),
        (
            &filter("definition: x", &format!("rules: any\n{selection}")),
            "2:12: the log source of a filter names nothing",
        ),
        (&filter(PROCESSES, selection), "4:3: the filter does not say which rules it is for"),
        (&filter(PROCESSES, &format!("rules: []\n{selection}")), "4:10: `rules` names no rule"),
        (&filter(PROCESSES, "rules: any\ns: {User: a}"), "4:3: `detection` has no `condition`"),
        (
            &filter(PROCESSES, "rules: any\ns: {User: a}\nt: {User: b}\ncondition: s"),
            "6:3: the condition does not use the search identifier `t`",
        ),
        (
            &filter(PROCESSES, "rules: any\ns: {Usr: a}\ncondition: s"),
            "5:7: no record has a field `Usr` (did you mean `User`?)",
        ),
        (
            &format!("level: low\n{}", filter(PROCESSES, &format!("rules: any\n{selection}"))),
            "1:1: a filter has no `level` (remove it: ",
        ),
        (
            &format!("autor: me\n{}", filter(PROCESSES, &format!("rules: any\n{selection}"))),
            "1:1: `autor` is no key of a filter (did you mean `author`?)",
        ),
        (
            &format!("id: {FIRST}\n{}", filter(PROCESSES, &format!("rules: any\n{selection}"))),
            "1:5: the id 11111111-1111-4111-8111-111111111111 is taken already",
        ),
    ] {
        assert_refused(document, expected);
    }
}

#[test]
fn a_reference_to_no_rule_is_shown_at_its_place() {
    let selection = "s: {User: root}\ncondition: s";
    for (document, expected) in [
        (
            &filter(PROCESSES, &format!("rules: [secnod]\n{selection}")),
            "4:11: no rule has the name `secnod` (did you mean `second`?)",
        ),
        (
            &filter(PROCESSES, &format!("rules:\n  - {}\n{selection}", FIRST.replace("-8111", "-8112"))),
            "5:7: no rule has the id 11111111-1111-4111-8112-111111111111 (did you mean `11111111-1111-4111-8111-111111111111`?)",
        ),
        (
            &filter(PROCESSES, &format!("rules: [First]\n{selection}")),
            "4:11: no rule has the name `First` (write its id, 11111111-1111-4111-8111-111111111111)",
        ),
        (
            &filter(PROCESSES, &format!("rules: [any]\n{selection}")),
            "4:11: no rule has the name `any` (write `rules: any`, without a list)",
        ),
        (
            &filter(PROCESSES, &format!("rules: [second, {SECOND}]\n{selection}")),
            "4:19: the rule `22222222-2222-4222-8222-222222222222` is named twice (remove one of them)",
        ),
        (
            &filter(PROCESSES, &format!("rules: [third]\n{selection}")),
            "4:11: `Third` is for the log source `linux/file_event`, this filter for `linux/process_creation` (write",
        ),
        (
            &filter("product: windows", &format!("rules: any\n{selection}")),
            "2:12: no rule is for the log source `windows` (a filter is put",
        ),
    ] {
        assert_refused(document, expected);
    }
}

#[test]
fn a_condition_of_the_other_reading_is_refused() {
    for (document, expected) in [
        (
            &filter(PROCESSES, "rules: any\ns: {User: a}\ncondition: not s"),
            "6:14: `not s` holds where nothing of the filter matches, and would keep back nearly every alert (a filter keeps back what",
        ),
        (
            &filter(PROCESSES, "rules: any\ns: {User: a}\nt: {User: b}\ncondition: not s and not t"),
            "7:14: `not s and not t` holds",
        ),
        (
            &filter(PROCESSES, "rules: any\ns: {User: a}\nt: {User: b}\ncondition: s or not t"),
            "7:14: `s or not t` holds",
        ),
        (
            &filter(PROCESSES, "rules: any\ns_a: {User: a}\ncondition: not 1 of s_*"),
            "6:14: `not 1 of s_*` holds",
        ),
        (
            &filter(PROCESSES, "rules: any\ns: {User: a}\nt: {User: b}\ncondition:\n  - s\n  - not t"),
            "9:7: `not t` holds",
        ),
    ] {
        assert_refused(document, expected);
    }
}

#[test]
fn what_is_refused_of_one_filter_hides_nothing_of_another() {
    let one = filter(PROCESSES, "rules: [nobody]\ns: {User: a}\ncondition: s");
    let told = load(&format!("{}{one}---\n{one}", rules())).unwrap_err();
    assert_eq!(told.len(), 2, "{told:?}");
}

/// Rules by title that a filter stands before.
#[test]
fn a_filter_stands_before_rules_whose_log_source_fits() {
    for (log_source, reference, expected) in [
        (PROCESSES, "any", &["First", "Second"][..]),
        ("category: process_creation", "any", &["First", "Second"]),
        ("category: file_event", "any", &["Third"]),
        // Less specific: every rule that names the product.
        ("product: linux", "any", &["First", "Third"]),
        ("product: linux", "[third, 11111111-1111-4111-8111-111111111111]", &["First", "Third"]),
        // The host knows both to mean the same records.
        (PROCESSES, "[second]", &["Second"]),
        (PROCESSES, "second", &["Second"]),
        ("category: network_connection", "any", &[]),
    ] {
        let document = filter(log_source, &format!("rules: {reference}\ns: {{User: root}}\ncondition: s"));
        let set = load(&format!("{}{document}", rules())).unwrap_or_else(|told| panic!("{told:?}"));
        let [filter] = set.filters() else { panic!("one filter") };
        let titles: Vec<&str> =
            filter.rules.iter().filter_map(|rule| set.rule(*rule)).map(|rule| rule.title.as_str()).collect();
        assert_eq!(titles, expected, "{log_source} {reference}");
        assert_eq!((filter.title.as_str(), filter.source.as_str()), ("Site", "test.yml"));
    }
}

fn evaluate(engine: &mut Engine, record: &TestRecord) -> Matches {
    let mut found = Matches::default();
    engine.evaluate(record, &mut found);
    found
}

/// All that a rule and two filters can be, against what the three values mean.
#[test]
fn three_values_of_a_rule_and_its_filters() {
    const ALL: [(Truth, &str); 3] = [(Truth::True, "=x"), (Truth::False, "=y"), (Truth::Unknown, "~")];
    let title = format!("title: Rule\nid: {FIRST}\n");
    let documents = [
        rule("s: {Image: x}\ncondition: s").replace("title: Test\n", &title),
        filter(PROCESSES, "rules: any\ns: {User: x}\ncondition: s"),
        filter(PROCESSES, &format!("rules: ['{FIRST}']\ns: {{CommandLine|re: ^x$}}\ncondition: s")),
    ];
    let mut engine = engine(&documents.join("---\n"));
    for (rule, image) in ALL {
        for (first, user) in ALL {
            for (second, line) in ALL {
                let written = [format!("Image{image}"), format!("User{user}"), format!("CommandLine{line}")];
                let found = evaluate(&mut engine, &TestRecord::parse(written.iter().map(String::as_str)));
                let kept_back = [first, second].iter().position(|filter| filter.is_true());
                let told = rule.is_true() && kept_back.is_none();
                let open = [rule, first, second].contains(&Truth::Unknown);
                let index = RuleIndex(0);
                let expected = match (rule, kept_back) {
                    (Truth::False, _) | (Truth::Unknown, Some(_)) => Matches::default(),
                    (Truth::True, Some(filter)) => Matches {
                        suppressed: vec![(index, FilterIndex(u32::try_from(filter).unwrap()))],
                        ..Matches::default()
                    },
                    _ if told && !open => Matches { matched: vec![index], ..Matches::default() },
                    _ => Matches { pending: vec![index], ..Matches::default() },
                };
                assert_eq!(found, expected, "{rule:?} {first:?} {second:?}");
            }
        }
    }
}

#[test]
fn a_filter_keeps_back_its_own_rules_only() {
    let site = filter(
        PROCESSES,
        "rules: [second]\nsite: {User|startswith: adm_}\ntest: {Image: a}\ncondition: site and not test",
    );
    let mut engine = engine(&format!("{}{site}", rules()));
    for (written, matched, suppressed) in [
        (&["Image=a", "CommandLine=b", "User=adm_x"][..], &[0, 1][..], &[][..]),
        (&["Image=c", "CommandLine=b", "User=ADM_x"], &[], &[1]),
        (&["Image=c", "CommandLine=b", "User=x"], &[1], &[]),
        (&["Image=c", "CommandLine=c", "User=adm_x"], &[], &[]),
    ] {
        let found = evaluate(&mut engine, &TestRecord::parse(written.iter().copied()));
        let numbers = |rules: &[RuleIndex]| rules.iter().map(|rule| rule.0).collect::<Vec<_>>();
        let kept_back: Vec<RuleIndex> = found.suppressed.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(
            (numbers(&found.matched), numbers(&kept_back)),
            (matched.to_vec(), suppressed.to_vec()),
            "{written:?}"
        );
    }
}
