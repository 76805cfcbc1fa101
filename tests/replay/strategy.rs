//! Every built-in detection has its ten ADS sections and its scripts, and rule and ADS say the same.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sensor_user::config::Config;
use sensor_user::detection::attack::{TECHNIQUES, Tactic, Technique};
use sensor_user::detection::{Catalogue, HOST_LEVEL, SECTIONS, Strategy};
use sensor_user::event::field::Fields;
use sigma::{Level, Rule, RuleSet};

use crate::detection::folders;

/// Fewest characters of a section that says something.
const SECTION_MIN: usize = 40;
/// Longest step: a line of an alert in a terminal.
const STEP_MAX: usize = 100;

/// Each rule that makes alerts with its folder's name and its ADS. What a correlation reads has neither title nor
/// levels that anybody is told.
fn each(mut check: impl FnMut(&str, &Rule, &Strategy)) {
    let catalogue = Catalogue::built_in();
    let lists = Config::default().placeholders().expect("the default allow-lists are sound");
    let rules =
        RuleSet::load(catalogue.sources(), &Fields, &lists).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(!rules.rules().is_empty());
    for rule in rules.rules().iter().filter(|rule| rule.reports) {
        let name = rule.source.strip_prefix("built-in:").expect("a built-in rule says so");
        let strategy = catalogue.strategy(name).unwrap_or_else(|| panic!("{name}: no ads.md"));
        check(name, rule, strategy);
    }
}

fn body<'a>(strategy: &'a Strategy, title: &str) -> &'a str {
    strategy.section(title).map(|section| section.body).unwrap_or_default()
}

#[test]
fn all_ten_sections_are_there_in_order_and_say_something() {
    each(|name, rule, strategy| {
        let titles: Vec<_> = strategy.sections().map(|section| section.title).collect();
        assert_eq!(titles, SECTIONS, "{name}/ads.md: sections");
        for section in strategy.sections() {
            assert!(section.body.len() >= SECTION_MIN, "{name}/ads.md: {} says too little", section.title);
        }
        assert_eq!(
            strategy.text().lines().next(),
            Some(format!("# {}", rule.title).as_str()),
            "{name}/ads.md: title"
        );
    });
}

#[test]
fn tags_are_the_same_in_rule_and_strategy() {
    each(|name, rule, strategy| {
        let words = body(strategy, "Categorization").split('`');
        let told: BTreeSet<_> = words.filter(|word| word.starts_with("attack.")).collect();
        let tags: BTreeSet<_> = rule.tags.iter().map(String::as_str).collect();
        let differ: Vec<_> = told.symmetric_difference(&tags).collect();
        assert!(differ.is_empty(), "{name}: only one of rule.yml and ads.md has {differ:?}");
    });
}

/// The rule's tags without `attack.`: techniques as the table writes them, and tactics.
fn attack(rule: &Rule) -> (Vec<String>, Vec<&str>) {
    let tags: Vec<_> = rule.tags.iter().filter_map(|tag| tag.strip_prefix("attack.")).collect();
    let is_technique = |tag: &str| tag.starts_with('t') && tag.ends_with(|last: char| last.is_ascii_digit());
    let (techniques, tactics): (Vec<_>, Vec<_>) = tags.into_iter().partition(|tag| is_technique(tag));
    (techniques.into_iter().map(str::to_uppercase).collect(), tactics)
}

#[test]
fn techniques_are_of_the_table_and_have_a_tactic_that_is_theirs() {
    each(|name, rule, _| {
        let (ids, tactics) = attack(rule);
        assert!(!ids.is_empty(), "{name}/rule.yml: no technique");
        let find = |id: &String| {
            Technique::find(id).unwrap_or_else(|| panic!("{name}/rule.yml: detection/attack.rs lacks {id}"))
        };
        let techniques: Vec<_> = ids.iter().map(find).collect();
        for tactic in &tactics {
            let fits = techniques.iter().any(|technique| technique.has_tactic(tactic));
            assert!(fits, "{name}/rule.yml: {tactic} is a tactic of none of {ids:?}");
        }
        for technique in techniques {
            let has = technique.tactics.iter().any(|tactic| tactics.contains(&tactic.tag()));
            assert!(has, "{name}/rule.yml: none of its tactics is one of {}", technique.id);
        }
    });
}

#[test]
fn what_version_19_moved_has_its_old_tactic_too() {
    assert!(TECHNIQUES.iter().any(|technique| technique.tactics.contains(&Tactic::Stealth)));
    each(|name, rule, strategy| {
        let (_, tactics) = attack(rule);
        let moved = [Tactic::Stealth, Tactic::DefenseImpairment];
        let moved: Vec<_> = moved.iter().filter(|tactic| tactics.contains(&tactic.tag())).collect();
        for tactic in moved.iter().copied() {
            let former = tactic.former().expect("both have one");
            assert!(tactics.contains(&former), "{name}/rule.yml: {} without {former}", tactic.tag());
            let told = body(strategy, "Categorization").contains("ATT&CK v19");
            assert!(told, "{name}/ads.md: Categorization does not say `ATT&CK v19`");
        }
        let old = tactics.contains(&"defense-evasion");
        assert!(!old || !moved.is_empty(), "{name}/rule.yml: defense-evasion is no tactic of ATT&CK v19");
    });
}

#[test]
fn categorizations_name_techniques_and_what_they_are_parts_of() {
    each(|name, rule, strategy| {
        let told = body(strategy, "Categorization").split_whitespace().collect::<Vec<_>>().join(" ");
        for technique in attack(rule).0.iter().filter_map(|id| Technique::find(id)) {
            let link = format!("[{}, {}]({})", technique.id, technique.name, technique.url());
            assert!(told.contains(&link), "{name}/ads.md: Categorization lacks {link}");
            if let Some(parent) = technique.parent() {
                let of = format!("{}, {}", parent.id, parent.name);
                assert!(told.contains(&of), "{name}/ads.md: Categorization lacks the parent, `{of}`");
            }
        }
    });
}

#[test]
fn levels_are_the_same_in_rule_and_strategy() {
    each(|name, rule, strategy| {
        let host = rule.custom_text(HOST_LEVEL).unwrap_or_else(|| panic!("{name}/rule.yml: no {HOST_LEVEL}"));
        let line = format!("**{}** in a container, **{host}** on the host.", rule.level);
        let told = body(strategy, "Priority").lines().next().unwrap_or_default();
        assert_eq!(told, line, "{name}/ads.md: Priority opens with rule.yml's levels");
        let host: Level = host.parse().unwrap_or_else(|error| panic!("{name}/rule.yml: {error}"));
        assert_eq!(host, rule.level.lower(), "{name}/rule.yml: {HOST_LEVEL} is one step lower");
    });
}

#[test]
fn false_positives_are_the_same_in_rule_and_strategy() {
    each(|name, rule, strategy| {
        let section = body(strategy, "False Positives");
        let list = section.split("\n\n").next().unwrap_or_default().replace("\n  ", " ");
        let told: Vec<_> =
            list.lines().map(|line| line.trim_start_matches("- ").trim_end_matches('.').to_owned()).collect();
        assert_eq!(told, rule.false_positives, "{name}: ads.md on the left, rule.yml on the right");
    });
}

#[test]
fn references_of_the_rule_are_among_the_resources() {
    each(|name, rule, strategy| {
        for reference in &rule.references {
            let line = format!("- <{reference}>");
            assert!(body(strategy, "Additional Resources").contains(&line), "{name}/ads.md lacks {line}");
        }
    });
}

#[test]
fn responses_open_with_steps_short_enough_for_an_alert() {
    each(|name, _, strategy| {
        let steps = strategy.response();
        let written =
            body(strategy, "Response").lines().take_while(|line| line.starts_with(char::is_numeric));
        assert_eq!(written.count(), steps.len(), "{name}/ads.md: more steps than an alert prints");
        assert!((2..=4).contains(&steps.len()), "{name}/ads.md: {} steps", steps.len());
        for step in steps {
            assert!(step.chars().count() <= STEP_MAX, "{name}/ads.md: too long for a line: {step}");
        }
    });
}

/// How a line of a script begins that does something inside: by itself, or by what the common stage has for it.
const INSIDE: [&str; 5] = ["inside ", "spare ", "send_tcp ", "ask_dns ", "ask_socket "];

#[test]
fn scripts_are_shell_and_use_the_common_stage() {
    let check = |script: &Path| {
        let checked = Command::new("sh").arg("-n").arg(script).output().expect("sh runs");
        let complaint = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {complaint}", script.display());
    };
    for (_, folder) in folders() {
        for script in ["emulate.sh", "benign.sh"].map(|name| folder.join(name)) {
            check(&script);
            let text = fs::read_to_string(&script).expect("sh has read it");
            assert!(
                text.contains(r#". "$(dirname "$0")/../emulation.sh""#),
                "{}: no stage",
                script.display()
            );
            let acts = |line: &str| INSIDE.iter().any(|word| line.trim_start().starts_with(word));
            assert!(
                text.lines().any(acts)
                    || text.contains("$TIDEWAITER_INSIDE")
                    || text.contains("\n# Acts on this machine alone"),
                "{}: does nothing inside, and does not say that it acts on this machine alone",
                script.display()
            );
            let mode = fs::metadata(&script).expect("sh has read it").permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{}: not executable", script.display());
        }
    }
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/emulation.sh"));
}
