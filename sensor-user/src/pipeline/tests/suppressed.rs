//! What a filter keeps back is counted and can be looked at, and no alert is made of it.

use super::pending::{START, foreign_image, named, rule};
use super::*;

const SECOND: u64 = 1000 * MILLISECOND;

/// Rules on connections, and a filter before them that is true of what `ours` says.
fn pipeline_with_filter(rule: String, ours: &str) -> Pipeline {
    let filter = format!(
        "title: Our tool\nid: 5f1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c01\nlogsource:\n  product: linux\n  category: \
         network_connection\nfilter:\n  rules: any\n  ours:\n    {ours}\n  condition: ours\n"
    );
    let sources = [sigma::Source::new("rule", rule), sigma::Source::new("filter", filter)];
    let set = RuleSet::load(sources, &Fields, &sigma::Placeholders::default()).expect("they load");
    let engine = Engine::new(set);
    let detections = Catalogue::default().bind(engine.rules()).expect("and bind");
    Pipeline::new(engine, detections, Stories::default())
}

fn told(pipeline: &Pipeline) -> Vec<(u64, String, String, u32)> {
    let found = pipeline.suppressed().into_iter();
    found.map(|it| (it.time, it.rule, it.filter, it.process.key.pid)).collect()
}

#[test]
fn what_a_filter_keeps_back_is_kept_to_be_looked_at() {
    let any = rule(7, "Connects", "network_connection", "  a:\n    DestinationPort: 80\n  condition: a\n");
    let mut pipeline = pipeline_with_filter(any, "Image: /bin/tool");
    feed(&mut pipeline, [exec(START, 10, 1, "/bin/tool", &["tool"]), exec(START, 11, 1, "/bin/nc", &["nc"])]);
    feed(&mut pipeline, [connect(START + 1, 10, 5, 80, 6), connect(START + 2, 11, 6, 80, 6)]);
    assert_eq!(told(&pipeline), [(START + 1, "Connects".to_owned(), "Our tool".to_owned(), 10)]);
    assert_eq!(pipeline.passed().suppressed, 1);
    let stats = pipeline.rule_stats(START + SECOND);
    let cost = stats.rules[0].cost;
    assert_eq!((cost.runs, cost.matches, cost.suppressed), (2, 1, 1), "{stats:?}");
    assert_eq!(pipeline.drain().len(), 1, "the other is told");
    // Only the last are kept, and all are counted.
    let many = SUPPRESSED_MAX as u64 + 10;
    feed(&mut pipeline, (0..many).map(|number| connect(START + SECOND + number, 10, 7 + number, 80, 6)));
    assert_eq!(pipeline.suppressed().len(), SUPPRESSED_MAX);
    assert_eq!(pipeline.suppressed()[0].time, START + SECOND + 10);
    assert_eq!(pipeline.passed().suppressed, many + 1);
}

#[test]
fn what_is_decided_late_may_be_kept_back_too() {
    let mut pipeline = pipeline_with_filter(foreign_image(), "ContainerImage|startswith: docker.io/library/");
    feed(&mut pipeline, [exec(START, 10, 1, "/bin/tool", &["tool"]), connect(START + 1, 10, 5, 80, 6)]);
    assert!(told(&pipeline).is_empty(), "it is open");
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty());
    assert_eq!(told(&pipeline), [(START + 1, "Foreign image".to_owned(), "Our tool".to_owned(), 10)]);
}
