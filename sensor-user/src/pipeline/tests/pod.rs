//! What only the Kubernetes API tells arrives after the container's name: rules on it wait for it, as they wait for
//! names, and alerts are told again with it.

use super::pending::{START, named, pipeline_of, rule};
use super::*;
use crate::state::container::Pod;
use crate::state::pod::{PodFacts, PodUpdate};

const UID: &str = "4cad64d0-7a36-452a-8a08-bd3a694cdad5";
const SECOND: u64 = 1000 * MILLISECOND;

/// As the runtime names it: in a pod, without labels.
fn in_pod() -> Container {
    let pod = Pod { name: "web-0".into(), namespace: "shop".into(), uid: UID.into(), ..Pod::default() };
    Container { pod_uid: Some(UID.to_owned()), pod: Some(pod), ..named("shop/web:1") }
}

/// The API's word of the pod, with one label.
fn told(label: &str) -> PodUpdate {
    let labels = [(label.to_owned(), "yes".to_owned())].into();
    let pod = Pod { uid: UID.to_owned(), labels, ..Pod::default() };
    PodUpdate::Known(Box::new(PodFacts { pod, containers: Vec::new() }))
}

/// A pod may connect only with a label that says so; its container is named after it did.
fn connected() -> Pipeline {
    let detection = "  connect:\n    DestinationPort: 80\n  allowed:\n    PodLabels: egress=yes\n  condition: connect and \
                     not allowed\n";
    let mut pipeline = pipeline_of(&[rule(1, "Not allowed out", "network_connection", detection)]);
    pipeline.containers.tell_pod(PodUpdate::Listening(true), START);
    let deeds = [
        exec(START, 10, 1, "/usr/bin/tool", &["tool"]),
        connect(START + MILLISECOND, 10, 5, 80, 6),
        exit(START + 2 * MILLISECOND, 10),
    ];
    feed(&mut pipeline, deeds);
    pipeline.containers.complete(ID, in_pod());
    assert!(pipeline.accounts(START + SECOND).is_empty(), "its labels are not known");
    pipeline
}

#[test]
fn a_rule_on_labels_does_not_fire_because_they_are_late() {
    let mut pipeline = connected();
    pipeline.containers.tell_pod(told("egress"), START + 2 * SECOND);
    assert!(pipeline.accounts(START + 3 * SECOND).is_empty());
    assert!(pipeline.undecided(START + 20 * SECOND, true).is_empty(), "it is decided");
    assert!(pipeline.drain().is_empty());
}

#[test]
fn a_rule_on_labels_is_decided_when_they_come() {
    let mut pipeline = connected();
    pipeline.containers.tell_pod(told("other"), START + 2 * SECOND);
    let accounts = pipeline.accounts(START + 3 * SECOND);
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0].steps.len(), 3, "all it did: {:?}", accounts[0].steps);
    let container = accounts[0].container.as_ref().unwrap();
    assert!(container.pod.as_ref().unwrap().labels.contains_key("other"));
    assert!(pipeline.drain().is_empty(), "once");
}

#[test]
fn labels_that_never_come_are_absent_in_the_end() {
    for silence in [PodUpdate::Listening(false), PodUpdate::Gone { uid: String::new() }] {
        let mut pipeline = connected();
        pipeline.containers.tell_pod(silence, START + 2 * SECOND);
        pipeline.sweep(START + 20 * SECOND);
        assert_eq!(pipeline.accounts(START + 21 * SECOND).len(), 1);
    }
}

#[test]
fn an_alert_is_told_again_with_its_labels() {
    let mut pipeline = pipeline();
    pipeline.containers.tell_pod(PodUpdate::Listening(true), START);
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", &["curl", "-o", "/tmp/x", "http://10.0.0.2/x"])]);
    feed(&mut pipeline, [exit(START + MILLISECOND, 4)]);
    pipeline.containers.complete(ID, in_pod());
    let labels = |account: &Account| {
        account.container.as_ref().and_then(|container| container.pod.as_ref()).map(|pod| pod.labels.len())
    };
    let first = pipeline.accounts(START + SECOND);
    assert_eq!(first.iter().map(labels).collect::<Vec<_>>(), [Some(0)], "it does not wait");
    pipeline.containers.tell_pod(told("egress"), START + 2 * SECOND);
    let again = pipeline.accounts(START + 3 * SECOND);
    assert_eq!(again.iter().map(labels).collect::<Vec<_>>(), [Some(1)]);
    assert!(again[0].is_amendment && again[0].number == first[0].number);
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
}
