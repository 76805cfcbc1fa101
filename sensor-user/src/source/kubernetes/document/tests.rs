//! What a real API server (1.20) wrote, and what it would write elsewhere.

use super::*;

/// A list of the pods of a node, and what a watch from there told: the kubelet's word, an order to end, the end, a
/// bookmark. Recorded from a kube-apiserver.
const LIST: &str = include_str!("../data/pods.json");
const WATCH: &str = include_str!("../data/watch.jsonl");

fn listed() -> PodDocument {
    let list: List = serde_json::from_str(LIST).unwrap();
    assert_eq!(list.metadata.resource_version, "204");
    let mut pods = list.pods();
    let pod = pods.next().unwrap();
    assert!(pods.next().is_none());
    pod
}

fn changes() -> Vec<Change> {
    WATCH.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn a_pod_is_read_with_all_that_is_used() {
    let pod = listed();
    assert_eq!((pod.resource_version(), pod.node()), ("204", Some("node-1")));
    let PodFacts { pod, containers } = pod.facts();
    let labels = [("app", "web"), ("pod-template-hash", "65747dc769"), ("tier", "front")];
    let expected = Pod {
        name: "web-65747dc769-pjztg".into(),
        namespace: "shop".into(),
        uid: "86456234-0887-4028-b761-fcbe0a7d6b29".into(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        // Not the Node, which does not act.
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web-65747dc769".into() }),
        node: Some("node-1".into()),
        service_account: Some("shop".into()),
    };
    assert_eq!(pod, expected);
    let names: Vec<_> = containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["web", "log", "migrate"]);
    assert_eq!(containers[0].probes, [vec!["cat", "/tmp/healthy"], vec!["sh", "-c", "test -e /tmp/started"]]);
    assert!(containers.iter().all(|container| container.id.is_none()), "the kubelet has not spoken");
}

#[test]
fn a_watch_tells_ids_the_end_and_how_far_it_is() {
    let changes = changes();
    let [Change::Modified(pod), Change::Modified(_), Change::Deleted(gone), Change::Bookmark(bookmark)] =
        &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((gone.uid(), gone.resource_version()), (pod.uid(), "207"));
    assert_eq!(bookmark.resource_version(), "207");
    let Some(Change::Modified(pod)) = self::changes().into_iter().next() else { panic!("it was one") };
    let containers = pod.facts().containers;
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let expected = PodContainer {
        name: "web".into(),
        image: Some("shop/web:1.4".into()),
        id: Some("3".repeat(64)),
        runtime: Runtime::Containerd,
        image_id: None,
        image_digest: Some(digest("3")),
        probes: containers[0].probes.clone(),
    };
    assert_eq!(containers[0], expected);
    // An image that no registry has is known by its own digest alone.
    assert_eq!((&containers[1].image_id, &containers[1].image_digest), (&Some(digest("2")), &None));
    assert_eq!(containers[2].id, Some("1".repeat(64)));
}

#[test]
fn the_server_may_end_a_watch_with_its_reason() {
    // As recorded from a server whose database was compacted.
    let line = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"The resourceVersion for the provided watch is too old.","reason":"Expired","code":410}}"#;
    let Change::Error(status) = serde_json::from_str(line).unwrap() else { panic!("it is an error") };
    assert_eq!(status.code, 410);
}

#[test]
fn a_static_pod_goes_by_the_uid_that_the_node_knows() {
    let text = r#"{"metadata":{"name":"etcd-node-1","namespace":"kube-system","uid":"by-the-api","annotations":
        {"kubernetes.io/config.hash":"0123","kubernetes.io/config.mirror":"0123","other":"x"},"ownerReferences":
        [{"apiVersion":"v1","kind":"Node","name":"node-1","uid":"u","controller":true}]}}"#;
    let pod: PodDocument = serde_json::from_str(text).unwrap();
    assert_eq!(pod.uid(), "0123");
    let facts = pod.facts();
    assert_eq!(facts.pod.uid, "0123");
    assert_eq!(facts.pod.owner, Some(Owner { kind: "Node".into(), name: "node-1".into() }));
}

#[test]
fn nothing_that_is_missing_or_null_is_an_error() {
    for text in [
        "{}",
        r#"{"metadata":{"labels":null,"annotations":null,"ownerReferences":null},"spec":null,"status":null}"#,
        r#"{"spec":{"containers":null},"status":{"containerStatuses":null}}"#,
        r#"{"spec":{"containers":[{"name":"a","livenessProbe":{"exec":{"command":null}}}]}}"#,
        r#"{"spec":{"containers":[{"name":"a"}]},"status":{"containerStatuses":[{"name":"a","containerID":"",
            "imageID":""}]}}"#,
    ] {
        let pod: PodDocument = serde_json::from_str(text).expect(text);
        for container in pod.facts().containers {
            assert!(container.id.is_none() && container.image_id.is_none() && container.probes.is_empty());
        }
    }
    let list: List = serde_json::from_str(r#"{"metadata":{"resourceVersion":"1"},"items":null}"#).unwrap();
    assert_eq!(list.pods().count(), 0);
}

#[test]
fn fuzzed_documents_are_read_or_refused() {
    let mut seeds = vec![LIST.as_bytes().to_vec()];
    seeds.extend(WATCH.lines().map(|line| line.as_bytes().to_vec()));
    crate::fuzz::run(&seeds, |bytes, _| {
        if let Ok(list) = serde_json::from_slice::<List>(bytes) {
            list.pods().for_each(|pod| drop(pod.facts()));
        }
        match serde_json::from_slice::<Change>(bytes) {
            Ok(Change::Added(pod) | Change::Modified(pod) | Change::Deleted(pod) | Change::Bookmark(pod)) => {
                let uid = pod.uid().to_owned();
                assert_eq!(pod.facts().pod.uid, uid);
            }
            Ok(Change::Error(_)) | Err(_) => {}
        }
    });
}
