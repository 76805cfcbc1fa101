//! Other rules take over while something waits for a container's name.

use super::pending::{START, foreign_image, named, pipeline_of, rule};
use super::*;

const SECOND: u64 = 1000 * MILLISECOND;

/// Rules as a reading hands them over.
fn rules(documents: &[String]) -> (RuleSet, Detections) {
    let sources = documents.iter().map(|text| sigma::Source::new("rules", text.as_str()));
    let set = RuleSet::load(sources, &Fields, &sigma::Placeholders::default()).expect("they load");
    let detections = Catalogue::default().bind(set.rules()).expect("and bind");
    (set, detections)
}

fn any_connect(id: u8, title: &str) -> String {
    rule(id, title, "network_connection", "  a:\n    DestinationPort: 80\n  condition: a\n")
}

fn titles(accounts: &[Account]) -> Vec<&str> {
    let of = |account| Account::detections(account).map(|detection| detection.title.as_str());
    accounts.iter().flat_map(of).collect()
}

/// A pipeline in which the rule on the image is open for one connection.
fn open() -> Pipeline {
    let mut pipeline = pipeline_of(&[foreign_image()]);
    let records = [exec(START, 10, 1, "/bin/tool", &["tool"]), connect(START + MILLISECOND, 10, 5, 80, 6)];
    feed(&mut pipeline, records);
    assert!(pipeline.accounts(START + SECOND).is_empty());
    pipeline
}

#[test]
fn what_waits_for_a_rule_waits_for_its_successor() {
    let changed = foreign_image().replace("title: Foreign image", "title: Foreign image, renamed");
    for (documents, expected) in [
        (vec![any_connect(7, "Before it"), foreign_image()], vec!["Foreign image"]),
        // By its id, and judged as it is written now.
        (vec![any_connect(7, "Before it"), changed.clone()], vec!["Foreign image, renamed"]),
        (vec![changed.replace("registry.example/", "docker.io/")], vec![]),
        // Not what was no rule when it happened.
        (vec![foreign_image(), any_connect(7, "After it")], vec!["Foreign image"]),
    ] {
        let mut pipeline = open();
        let (set, detections) = rules(&documents);
        let retired = pipeline.reload(set, detections);
        assert_eq!((retired.undecided, retired.set.rules().len()), (0, 1));
        assert_eq!(pipeline.detections(), documents.len());
        pipeline.containers.complete(ID, named("docker.io/library/web:1"));
        assert_eq!(titles(&pipeline.accounts(START + 20 * SECOND)), expected, "{documents:?}");
        assert!(pipeline.undecided(START + 20 * SECOND, true).is_empty());
    }
}

#[test]
fn what_waits_for_a_rule_that_is_gone_is_counted_under_its_title() {
    let mut pipeline = open();
    let (set, detections) = rules(&[any_connect(7, "Another")]);
    assert_eq!(pipeline.reload(set, detections).undecided, 1);
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty());
    let losses = pipeline.undecided(START + 20 * SECOND, true);
    let told: Vec<_> = losses.iter().map(|loss| (loss.what.as_str(), loss.count, loss.reason)).collect();
    let reason = "undecided: the rule was taken away before the runtime answered";
    assert_eq!(told, [("match of \"Foreign image\"", 1, reason)]);
    assert!(pipeline.undecided(START + 90 * SECOND, true).is_empty(), "told once");
    // The new one is at work.
    feed(&mut pipeline, [connect(START + 100 * SECOND, 10, 6, 80, 6)]);
    assert_eq!(titles(&pipeline.drain()), ["Another"]);
}

#[test]
fn a_story_that_is_open_keeps_what_it_was_told() {
    let mut pipeline = pipeline_of(&[any_connect(7, "Old")]);
    feed(
        &mut pipeline,
        [exec(START, 10, 1, "/bin/tool", &["tool"]), connect(START + MILLISECOND, 10, 5, 80, 6)],
    );
    let (set, detections) = rules(&[any_connect(8, "New")]);
    pipeline.reload(set, detections);
    feed(&mut pipeline, [connect(START + 2 * MILLISECOND, 10, 6, 80, 6)]);
    assert_eq!(titles(&pipeline.drain()), ["Old", "New"]);
}
