//! Containers are seen, asked for, named, shown and forgotten.

use super::due::ASK_AFTER;
use super::*;
use crate::state::container::{Confirmation, Runtime};

const SECOND: u64 = 1_000_000_000;

fn identity(id: &str) -> CgroupIdentity {
    CgroupIdentity { id: id.to_owned(), runtime: Runtime::Docker, pod_uid: None, outer: vec![], user: None }
}

fn named(id: &str) -> Container {
    Container {
        name: Some("web".into()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity(id))
    }
}

#[test]
fn names_join_late_and_keep_the_pod_uid() {
    let mut table = ContainerTable::default();
    let claim = CgroupIdentity { pod_uid: Some("uid".into()), ..identity("a") };
    let id = table.see(42, &claim, 0);
    assert!(table.get(&id).unwrap().is_asked());
    assert!(table.complete("a", named("a")));
    let container = table.get(&table.by_cgroup(42).unwrap()).unwrap();
    assert_eq!((container.name.as_deref(), container.pod_uid.as_deref()), (Some("web"), Some("uid")));
    assert!(!table.complete("b", named("b")));
    assert!(table.complete("a", named("a")));
    assert_eq!(table.settled(), [Arc::from("a")], "settled once");
    assert_eq!(table.settled(), []);
}

#[test]
fn runtimes_are_asked_on_a_schedule_until_they_answer() {
    let mut table = ContainerTable::default();
    table.see(42, &identity("a"), SECOND);
    assert_eq!(table.due(SECOND, 0), [], "no room: it is not asked, and not counted as asked");
    assert_eq!(table.due(SECOND, usize::MAX), [identity("a")]);
    assert_eq!(table.due(SECOND, usize::MAX), []);
    assert_eq!(table.due(SECOND + 20_000_000, usize::MAX), [identity("a")]);
    table.complete("a", named("a"));
    assert_eq!(table.due(3_600 * SECOND, usize::MAX), []);
}

#[test]
fn who_is_not_confirmed_is_told_and_asked_for_now_and_then() {
    let mut table = ContainerTable::default();
    table.see(43, &identity("b"), SECOND);
    let mut asked = |from: u64, to: u64| -> usize {
        (from * 100..to * 100).map(|tick| table.due(tick * SECOND / 100, usize::MAX).len()).sum()
    };
    assert_eq!((asked(1, 10), asked(10, 60), asked(60, 181)), (ASK_AFTER.len(), 0, 2));
    assert_eq!((table.take_unconfirmed(), table.take_unconfirmed()), (vec!["b".into()], vec![]));
    assert_eq!((table.stats().unconfirmed, table.settled().as_slice()), (1, &[Arc::from("b")][..]));
    assert_eq!(table.get("b").unwrap().confirmation, Confirmation::Unknown);
    // Its cgroup goes, and nobody asks any more.
    table.ended(43, 200 * SECOND);
    assert_eq!(table.due(3_600 * SECOND, usize::MAX), []);
    assert!(table.pending.is_empty());
    table.complete("b", named("b"));
    assert!(table.get("b").unwrap().is_verified(), "better late than never");
}

#[test]
fn what_nobody_knows_is_shown_as_what_is_around_it() {
    let mut table = ContainerTable::default();
    let outer = vec![("kind".to_owned(), Runtime::Docker), ("middle".to_owned(), Runtime::Unknown)];
    let inner = CgroupIdentity { outer, ..identity("inner") };
    table.see(42, &inner, 0);
    assert_eq!(table.get("inner").unwrap().id, "inner", "nobody knows any of them");
    assert!(table.is_related("kind", "inner") && !table.is_related("inner", "kind"));
    table.complete("kind", named("kind"));
    let shown = table.get("inner").unwrap();
    assert_eq!(
        (shown.id.as_str(), &shown.nested[..]),
        ("kind", &["middle".to_owned(), "inner".to_owned()][..])
    );
    assert_eq!(table.get("middle").unwrap().nested, ["middle"]);
    assert!(table.get("kind").unwrap().nested.is_empty());
    assert!(table.is_related("inner", "kind") && !table.is_related("kind", "other"));
    table.complete("inner", named("inner"));
    let shown = table.get("inner").unwrap();
    assert!(shown.id == "inner" && shown.nested.is_empty());
    assert!(!table.is_related("inner", "kind"), "its own runtime knows it: it is not the outer one");
}

#[test]
fn the_first_program_is_the_first_after_each_start() {
    let mut table = ContainerTable::default();
    let key = |pid| ProcessKey { pid, start_time: 1 };
    table.see(42, &identity("a"), 0);
    assert!(table.began("a", SECOND, key(1)) && !table.began("a", 2 * SECOND, key(2)));
    assert_eq!(table.first("a"), Some((SECOND, key(1))));
    table.ended(42, 3 * SECOND);
    table.see(43, &identity("a"), 4 * SECOND);
    assert!(table.began("a", 5 * SECOND, key(3)));
    assert_eq!(table.witness("a"), Some(key(3)));
}

#[test]
fn a_container_outlives_its_last_cgroup_by_ten_minutes() {
    let mut table = ContainerTable::default();
    table.see(42, &identity("a"), 0);
    table.see(43, &identity("a"), 0);
    table.ended(42, SECOND);
    table.sweep(SECOND + CONTAINER_KEPT);
    assert!(table.get("a").is_some(), "one cgroup is left");
    table.ended(43, 2 * SECOND);
    table.sweep(SECOND + CONTAINER_KEPT);
    assert!(table.by_cgroup(43).is_some());
    let stats = table.sweep(2 * SECOND + CONTAINER_KEPT);
    assert_eq!((stats.known, stats.cgroups, stats.expired), (0, 0, 1));
}

#[test]
fn a_restarted_container_is_not_forgotten() {
    let mut table = ContainerTable::default();
    table.see(42, &identity("a"), 0);
    table.ended(42, SECOND);
    table.see(43, &identity("a"), 2 * SECOND);
    table.sweep(SECOND + CONTAINER_KEPT);
    assert!(table.get("a").is_some());
}

#[test]
fn the_root_cgroup_is_nobodys() {
    let mut table = ContainerTable::default();
    table.see(1, &identity("a"), 0);
    table.see(0, &identity("a"), 0);
    assert_eq!((table.by_cgroup(0), table.by_cgroup(1)), (None, None));
}

#[test]
fn the_table_is_bounded_and_says_what_it_dropped() {
    let mut table = ContainerTable::default();
    let more = 10;
    for number in 0..(CONTAINERS_MAX + more) as u64 {
        table.see(number + 2, &identity(&format!("c{number}")), 0);
    }
    let stats = table.sweep(0);
    assert_eq!((stats.known, stats.evicted), (CONTAINERS_MAX, more as u64));
    assert!(table.get("c0").is_none() && table.by_cgroup(2).is_none());
    assert!(table.get(&format!("c{}", CONTAINERS_MAX + more - 1)).is_some());
}
