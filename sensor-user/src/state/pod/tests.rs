//! Pods come, change, end and are forgotten.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn owner(kind: &str, name: &str) -> Owner {
    Owner { kind: kind.into(), name: name.into() }
}

fn facts(uid: &str) -> PodFacts {
    let pod = Pod {
        name: "web-0".into(),
        namespace: "shop".into(),
        uid: uid.into(),
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        owner: Some(owner("ReplicaSet", "web-65747dc769")),
        ..Pod::default()
    };
    PodFacts { pod, containers: Vec::new() }
}

fn known(facts: PodFacts) -> PodUpdate {
    PodUpdate::Known(Box::new(facts))
}

#[test]
fn only_what_changed_is_news() {
    let mut table = PodTable::default();
    assert_eq!(table.tell(known(facts("a")), 0), ["a"]);
    assert_eq!(table.tell(known(facts("a")), 0), [""; 0]);
    let mut changed = facts("a");
    changed.pod.labels.insert("tier".into(), "front".into());
    assert_eq!(table.tell(known(changed.clone()), 0), ["a"]);
    assert_eq!(**table.get("a").unwrap(), changed);
}

#[test]
fn a_pod_outlives_its_end_by_ten_minutes() {
    let mut table = PodTable::default();
    table.tell(known(facts("a")), 0);
    table.tell(PodUpdate::Gone { uid: "a".into() }, SECOND);
    table.tell(PodUpdate::Gone { uid: "never seen".into() }, SECOND);
    assert_eq!(table.sweep(SECOND + POD_KEPT - 1).known, 1);
    let stats = table.sweep(SECOND + POD_KEPT);
    assert_eq!((stats.known, stats.expired), (0, 1));
}

#[test]
fn a_list_ends_what_it_lacks_and_brings_back_what_it_has() {
    let mut table = PodTable::default();
    table.tell(known(facts("a")), 0);
    table.tell(known(facts("b")), 0);
    table.tell(PodUpdate::Listed(FxHashSet::from_iter(["b".to_owned()])), 0);
    table.tell(PodUpdate::Gone { uid: "b".into() }, 0);
    table.tell(known(facts("b")), SECOND);
    let stats = table.sweep(POD_KEPT);
    assert_eq!((stats.known, stats.expired), (1, 1));
    assert!(table.get("b").is_some());
}

#[test]
fn the_maker_of_the_maker_is_the_owner() {
    let mut table = PodTable::default();
    table.tell(known(facts("a")), 0);
    let mut elsewhere = facts("b");
    elsewhere.pod.namespace = "other".into();
    table.tell(known(elsewhere), 0);
    let update = PodUpdate::Owned {
        namespace: "shop".into(),
        maker: owner("ReplicaSet", "web-65747dc769"),
        owner: owner("Deployment", "web"),
    };
    assert_eq!(table.tell(update.clone(), 0), ["a"]);
    assert_eq!(table.get("a").unwrap().pod.owner, Some(owner("Deployment", "web")));
    assert_eq!(table.get("b").unwrap().pod.owner, Some(owner("ReplicaSet", "web-65747dc769")));
    assert_eq!(table.tell(update, 0), [""; 0]);
}

#[test]
fn what_is_not_known_is_awaited_only_from_an_api_that_speaks() {
    let mut table = PodTable::default();
    assert!(!table.awaits("a"));
    table.tell(PodUpdate::Listening(true), 0);
    assert!(table.awaits("a"));
    table.tell(known(facts("a")), 0);
    assert!(!table.awaits("a") && table.awaits("b"));
    table.tell(PodUpdate::Listening(false), 0);
    assert!(!table.awaits("b"));
}

#[test]
fn the_table_is_bounded_and_says_what_it_dropped() {
    let mut table = PodTable::default();
    let more = 10;
    for number in 0..PODS_MAX + more {
        table.tell(known(facts(&format!("p{number}"))), 0);
    }
    let stats = table.sweep(0);
    assert_eq!((stats.known, stats.evicted), (PODS_MAX, more as u64));
    assert!(table.get("p0").is_none());
    table.tell(PodUpdate::Gone { uid: "p100".into() }, 0);
    table.tell(known(facts("new")), 0);
    assert!(table.get("p100").is_none() && table.get("p10").is_some(), "what has ended goes first");
}

#[test]
fn a_pod_is_bounded_and_says_what_was_left_out() {
    let probe = |length: usize| vec!["x".repeat(length)];
    let mut big = facts("a");
    big.pod.labels = (0..LABELS_MAX + 2).map(|number| (format!("l{number:03}"), String::new())).collect();
    big.pod.labels.insert("a".repeat(LABEL_BYTES_MAX + 1), String::new());
    let container = PodContainer {
        name: "web".into(),
        image: None,
        id: None,
        runtime: Runtime::Unknown,
        image_id: None,
        image_digest: None,
        probes: vec![probe(PROBE_BYTES_MAX), probe(PROBE_BYTES_MAX + 1)],
    };
    big.containers = vec![container; POD_CONTAINERS_MAX + 1];
    let mut table = PodTable::default();
    table.tell(known(big), 0);
    let kept = table.get("a").unwrap();
    assert_eq!((kept.pod.labels.len(), kept.containers.len()), (LABELS_MAX, POD_CONTAINERS_MAX));
    assert!(kept.containers.iter().all(|container| container.probes == [probe(PROBE_BYTES_MAX)]));
    assert_eq!(table.stats().left_out, 3 + 1 + POD_CONTAINERS_MAX as u64);
}
