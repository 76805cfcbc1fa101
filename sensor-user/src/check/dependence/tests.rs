//! The relation of hooks and detections, held against the built-in rules and the events that are recorded beside them.

use std::path::Path;

use sigma::Taxonomy as _;

use super::*;
use crate::ebpf::hook::HOOKS;
use crate::event::FileAction;
use crate::event::field::{Fields, TABLE};
use crate::event::recorded::Recorded;
use crate::rule::RuleFiles;

fn built_in() -> Dependence {
    Dependence::new(RuleFiles { embedded: true, ..RuleFiles::default() }.read().unwrap())
}

fn of_hook(dependence: &mut Dependence, purpose: &str) -> Vec<String> {
    let hook = HOOKS.iter().find(|hook| hook.purpose == purpose).expect(purpose);
    dependence.weakened(hook.feeds())
}

fn of_rules(text: &str) -> Dependence {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rules.yml"), text).unwrap();
    let paths = vec![directory.path().join("rules.yml")];
    Dependence::new(RuleFiles { paths, ..RuleFiles::default() }.read().unwrap())
}

#[test]
fn what_makes_a_row_fire_names_it() {
    for hook in HOOKS {
        assert_eq!(HOOKS.iter().filter(|other| other.trial == hook.trial).count(), 1, "{}", hook.purpose);
        assert!(!hook.feeds().is_empty(), "{}", hook.purpose);
    }
}

/// Only what a cgroup uses comes of no hook: it is read from its files.
#[test]
fn every_category_comes_of_a_hook() {
    for category in Category::ALL {
        let is_fed = |hook: &&crate::ebpf::hook::Hook| {
            hook.feeds().iter().any(|feed| matches!(feed, Feed::Event(fed, _) if *fed == category))
        };
        let is_derived = matches!(category, Category::ProcessCreation | Category::ContainerResource);
        assert_eq!(HOOKS.iter().any(|hook| is_fed(&hook)), !is_derived, "{}", category.name());
    }
}

/// A word that no event has would make a hook feed nothing, in silence.
#[test]
fn what_a_hook_always_says_is_a_word_of_the_sensor() {
    let actions = [
        FileAction::Open,
        FileAction::Write,
        FileAction::Close,
        FileAction::Rename,
        FileAction::Link,
        FileAction::Delete,
        FileAction::Mode,
        FileAction::Read,
    ];
    for hook in HOOKS {
        for feed in hook.feeds() {
            let Feed::Event(_, says) = feed else { continue };
            for (field, value) in *says {
                let (_, name, _, meaning) = TABLE[*field as usize];
                let is_action = actions.iter().any(|action| action.name() == *value);
                let is_known = meaning.contains(value) || (*field == Field::EventAction && is_action);
                assert!(is_known || ["true", "false"].contains(value), "{}: {name}: {value}", hook.purpose);
            }
        }
    }
}

/// Every event that is recorded beside a rule could have come of a hook, by what that always says.
#[test]
fn every_recorded_event_comes_of_a_hook() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path().join("events/match.jsonl")) else { continue };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let event = Recorded::parse(line).unwrap();
            let category = Category::ALL.into_iter().find(|category| category.id() == event.log_source());
            if matches!(category, Some(Category::ProcessCreation | Category::ContainerResource)) {
                continue;
            }
            let comes_of = |feed: &Feed| match feed {
                Feed::Event(fed, says) => {
                    Some(*fed) == category && says.iter().all(|said| agrees(&event, *said))
                }
                Feed::Every | Feed::Field(_) => false,
            };
            let is_fed = HOOKS.iter().any(|hook| hook.feeds().iter().any(comes_of));
            assert!(is_fed, "{}: no hook makes {line}", entry.path().display());
            count += 1;
        }
    }
    assert!(count > 50, "{count} events were looked at");
}

/// The event says the same of the field, or nothing.
fn agrees(event: &Recorded, (field, value): (Field, &str)) -> bool {
    let mut is_same = false;
    let presence = event.visit(FieldId(field as u16), &mut |found| {
        is_same |= match found {
            Value::Text(text) => text == value,
            Value::Bool(flag) => flag.to_string() == value,
            Value::Number(_) | Value::Ip(_) => false,
        };
    });
    is_same || presence != Presence::Present
}

#[test]
fn every_built_in_detection_comes_of_something() {
    let mut dependence = built_in();
    let all = dependence.all();
    let mut fed: Vec<String> = Vec::new();
    for hook in HOOKS {
        let feeds: Vec<Feed> = hook.feeds().iter().copied().filter(|feed| *feed != Feed::Every).collect();
        fed.extend(dependence.weakened(&feeds));
    }
    let other = dependence.weakened(&[
        Feed::Event(Category::ProcessCreation, &[]),
        Feed::Event(Category::ContainerResource, &[]),
    ]);
    fed.extend(other);
    let orphans: Vec<_> = all.iter().filter(|name| !fed.contains(name)).collect();
    assert_eq!(orphans, Vec::<&String>::new());
    assert!(all.len() > 60, "{}", all.len());
    assert_eq!(of_hook(&mut dependence, "program started"), all);
}

#[test]
fn a_missing_hook_weakens_the_detections_about_what_it_sees() {
    let mut dependence = built_in();
    for (hook, suffers, does_not) in [
        ("file deleted", "evidence_removed", "curl_download"),
        ("file made executable", "unknown_binary_fetches", "curl_download"),
        ("DNS query", "dns_tunnel", "deleted_executed"),
        ("DNS answer", "paste_site", "deleted_executed"),
        ("raw socket made", "icmp_tunnel", "dns_tunnel"),
        ("runtime socket connected", "runtime_socket_in_container", "icmp_tunnel"),
        ("secret opened", "service_account_token_read", "history_cleared"),
        ("secret opened", "secret_read_then_sent", "history_cleared"),
        ("bytes sent", "volume_out", "curl_download"),
        ("cgroup removed", "container_alerted_then_gone", "curl_download"),
        ("namespace entered", "container_entered", "curl_download"),
    ] {
        let weakened = of_hook(&mut dependence, hook);
        assert!(weakened.iter().any(|name| name == suffers), "{hook}: {suffers} is not in {weakened:?}");
        assert!(!weakened.iter().any(|name| name == does_not), "{hook}: {does_not} is in {weakened:?}");
    }
    let baseline = dependence.weakened(crate::check::Problem::BaselineNone.row().feeds);
    assert_eq!(baseline, ["new_destination_for_image", "new_executable_for_image", "volume_new_for_image"]);
}

/// A site's own rules are named as well, what joins them too, and what only others use is not.
#[test]
fn a_rule_that_says_which_event_it_wants_suffers_for_no_other() {
    let mut dependence = of_rules(
        "title: Renamed\nname: renamed\nlogsource: {category: file_event, product: linux}\n\
         detection: {s: {FileAction: rename}, condition: s}\nlevel: low\n---\n\
         title: Not deleted\nlogsource: {category: file_event, product: linux}\n\
         detection: {s: {TargetFilename|endswith: .key}, not_wanted: {FileAction: delete}, condition: s and not not_wanted}\n\
         level: low\n---\n\
         title: Twice\ncorrelation:\n  type: event_count\n  rules: [renamed]\n  group-by: [ContainerName]\n  timespan: 1m\n\
         \x20 condition: {gte: 2}\nlevel: low\n",
    );
    // One document holds all three: they have one name, so it is told by which rules are hit.
    let mut hit = |feeds: &[Feed]| {
        let mut is_hit = vec![false; 3];
        for feed in feeds {
            match feed {
                Feed::Event(category, says) => dependence.hit_by_event(*category, says, &mut is_hit),
                Feed::Field(field) => dependence.hit_by_field(*field, &mut is_hit),
                Feed::Every => is_hit.fill(true),
            }
        }
        dependence.spread(&mut is_hit);
        is_hit
    };
    let of = |purpose: &str| HOOKS.iter().find(|hook| hook.purpose == purpose).expect(purpose).feeds();
    assert_eq!(hit(of("file renamed")), [true, true, true]);
    assert_eq!(hit(of("file deleted")), [false, false, false]);
    assert_eq!(hit(of("file opened to write")), [false, true, false]);
    assert_eq!(hit(&[Feed::Field(Field::ContainerName)]), [false, false, true]);
    assert_eq!(hit(&[Feed::Field(Field::ContainerImage)]), [false, false, false]);
    assert!(Fields.field("FileAction").is_some());
}
