//! Whoever speaks first, in the end the same is known.

use std::collections::BTreeMap;

use super::*;
use crate::state::container::{CgroupIdentity, Owner};

const ID: &str = "5d7d1a0d9a1c4a0a8d1f4c1e6a5b3c2d5d7d1a0d9a1c4a0a8d1f4c1e6a5b3c2d";
const UID: &str = "4cad64d0-7a36-452a-8a08-bd3a694cdad5";

fn identity() -> CgroupIdentity {
    CgroupIdentity {
        id: ID.to_owned(),
        runtime: Runtime::Unknown,
        pod_uid: Some(UID.to_owned()),
        outer: Vec::new(),
        user: None,
    }
}

/// As containerd's bundle names it.
fn named() -> Container {
    Container {
        runtime: Runtime::Containerd,
        name: Some("web".into()),
        image: Some("docker.io/library/nginx:1.25".into()),
        pod: Some(Pod { name: "web-0".into(), namespace: "shop".into(), uid: UID.into(), ..Pod::default() }),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity())
    }
}

fn told(id: Option<&str>) -> PodFacts {
    PodFacts {
        pod: Pod {
            name: "web-0".into(),
            namespace: "shop".into(),
            uid: UID.into(),
            labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            owner: Some(Owner { kind: "StatefulSet".into(), name: "web".into() }),
            node: Some("node-1".into()),
            service_account: Some("shop".into()),
        },
        containers: vec![PodContainer {
            name: "web".into(),
            image: Some("nginx:1.25".into()),
            id: id.map(str::to_owned),
            runtime: Runtime::Containerd,
            image_id: None,
            image_digest: Some("sha256:abc".into()),
            probes: vec![vec!["cat".into(), "/tmp/healthy".into()]],
        }],
    }
}

fn known(facts: PodFacts) -> PodUpdate {
    PodUpdate::Known(Box::new(facts))
}

fn container(table: &ContainerTable) -> Container {
    Container::clone(&table.get(ID).expect("it was seen"))
}

/// What is known when both have spoken: the runtime's words win where both have some.
fn both() -> Container {
    Container {
        pod: Some(told(None).pod),
        image_digest: Some("sha256:abc".into()),
        probes: vec![vec!["cat".into(), "/tmp/healthy".into()]],
        ..named()
    }
}

#[test]
fn the_order_makes_no_difference() {
    type Step = fn(&mut ContainerTable);
    let seen: Step = |table| {
        table.see(42, &identity(), 0);
    };
    let runtime: Step = |table| {
        table.complete(ID, named());
    };
    let api: Step = |table| table.tell_pod(known(told(Some(ID))), 0);
    for order in [[seen, runtime, api], [seen, api, runtime], [api, seen, runtime]] {
        let mut table = ContainerTable::default();
        order.iter().for_each(|step| step(&mut table));
        assert_eq!(container(&table), both());
        // And again, since both speak more than once.
        api(&mut table);
        runtime(&mut table);
        assert_eq!(container(&table), both());
    }
}

#[test]
fn the_api_alone_names_a_container_that_no_file_knows() {
    let mut table = ContainerTable::default();
    table.see(42, &identity(), 0);
    table.tell_pod(known(told(Some(ID))), 0);
    let known = container(&table);
    assert!(known.is_verified());
    assert_eq!((known.name.as_deref(), known.image.as_deref()), (Some("web"), Some("nginx:1.25")));
    assert_eq!(known.runtime, Runtime::Containerd);
    assert_eq!(known.pod, Some(told(None).pod));
}

#[test]
fn an_id_that_the_kubelet_does_not_tell_stays_unverified() {
    let mut table = ContainerTable::default();
    table.see(42, &identity(), 0);
    table.tell_pod(known(told(Some("another"))), 0);
    let known = container(&table);
    assert_eq!((known.is_verified(), known.name, known.probes.len()), (false, None, 0));
    assert_eq!(known.pod.map(|pod| pod.name), Some("web-0".to_owned()));
}

#[test]
fn a_container_that_started_now_has_its_probes_by_name() {
    let mut table = ContainerTable::default();
    table.see(42, &identity(), 0);
    table.complete(ID, named());
    table.tell_pod(known(told(None)), 0);
    assert_eq!(container(&table).probes, [["cat", "/tmp/healthy"]]);
}

#[test]
fn labels_that_are_taken_away_go() {
    let mut table = ContainerTable::default();
    table.see(42, &identity(), 0);
    table.tell_pod(known(told(Some(ID))), 0);
    let mut bare = told(Some(ID));
    bare.pod.labels = BTreeMap::from([("app".to_owned(), "quarantine".to_owned())]);
    table.tell_pod(known(bare.clone()), 0);
    assert_eq!(container(&table).pod.unwrap().labels, bare.pod.labels);
}

#[test]
fn a_pod_is_awaited_until_it_is_told_or_the_api_falls_silent() {
    let mut table = ContainerTable::default();
    table.tell_pod(PodUpdate::Listening(true), 0);
    table.see(42, &identity(), 0);
    assert!(container(&table).awaits_pod);
    table.complete(ID, named());
    assert!(container(&table).awaits_pod, "its runtime has no labels");
    table.tell_pod(known(told(Some(ID))), 0);
    assert!(!container(&table).awaits_pod);

    let other = CgroupIdentity { id: "b".into(), pod_uid: Some("u".into()), ..identity() };
    table.see(43, &other, 0);
    assert!(table.get("b").unwrap().awaits_pod);
    table.tell_pod(PodUpdate::Listening(false), 0);
    assert!(!table.get("b").unwrap().awaits_pod);
}

#[test]
fn what_was_told_before_is_told_again_with_its_labels() {
    let mut table = ContainerTable::default();
    table.tell_pod(PodUpdate::Listening(true), 0);
    table.see(42, &identity(), 0);
    table.complete(ID, named());
    assert_eq!(table.settled(), [ID.into()], "its name");
    assert!(container(&table).is_open());
    table.tell_pod(known(told(Some(ID))), 0);
    assert_eq!(table.settled(), [ID.into()], "its labels");
    assert!(!container(&table).is_open());
    table.tell_pod(known(told(None)), 0);
    assert_eq!(table.settled(), []);
}

#[test]
fn a_pod_that_the_api_does_not_know_is_not_awaited_for_ever() {
    let mut table = ContainerTable::default();
    table.tell_pod(PodUpdate::Listening(true), 0);
    table.see(42, &identity(), 5);
    table.sweep(POD_AWAITED + 4);
    assert!(container(&table).awaits_pod);
    table.sweep(POD_AWAITED + 5);
    assert!(!container(&table).awaits_pod);
    table.complete(ID, named());
    assert!(!container(&table).awaits_pod, "nor again");
}

#[test]
fn a_container_without_a_pod_is_left_alone() {
    let mut table = ContainerTable::default();
    table.tell_pod(PodUpdate::Listening(true), 0);
    let alone = CgroupIdentity { pod_uid: None, ..identity() };
    table.see(42, &alone, 0);
    table.tell_pod(known(told(None)), 0);
    assert_eq!(container(&table), Container::from_cgroup(&alone));
}
