//! Documents as receivers get them.

mod ecs;
mod notice;
mod schema;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::alert::Reload;
use crate::sink::json::encode;
use crate::sink::sample;
use crate::state::process;
use crate::state::standing::{Claim, Standing, Trick};

fn value(message: &Message) -> Value {
    serde_json::from_str(&encode(&Document::new(message, &sample::origin()))).unwrap()
}

#[test]
fn an_alert_in_ecs() {
    let document = value(&sample::message());
    for (pointer, expected) in [
        ("/@timestamp", json!("2026-11-21T12:03:14.281042Z")),
        ("/kind", json!("alert")),
        ("/message", json!("curl downloads into a container: curl (pid 4242) in web-1 to 10.0.0.2:80")),
        ("/event/id", json!("01932b9e-4c11-7abc-8def-0123456789ab")),
        ("/event/kind", json!("alert")),
        ("/event/category", json!(["intrusion_detection", "process", "network", "file"])),
        ("/event/sequence", json!(7)),
        ("/event/severity", json!(75)),
        ("/event/duration", json!(20_000_000)),
        ("/rule/id", json!("6f2f0b5e-6f0a-4d0a-9e55-0c1f7a8a1d01")),
        ("/rule/name", json!("curl downloads into a container")),
        ("/rule/level", json!("high")),
        ("/threat/technique/id", json!(["T1105"])),
        ("/threat/tactic/name", json!(["command-and-control"])),
        ("/container/name", json!("web-1")),
        ("/container/image/name", json!("nginx:1.25")),
        ("/container/runtime", json!("docker")),
        ("/process/pid", json!(4242)),
        ("/process/entity_id", json!("4242-4242000000")),
        ("/process/executable", json!("/usr/bin/curl")),
        ("/process/args/1", json!("-sSLo")),
        ("/process/start", json!("2026-11-21T08:00:04.242000Z")),
        ("/process/user", json!({"id": "0", "name": "root"})),
        ("/process/parent/name", json!("sh")),
        ("/source/bytes", json!(92)),
        ("/destination", json!({"ip": "10.0.0.2", "port": 80, "bytes": 1_258_291})),
        ("/network", json!({"transport": "tcp", "type": "ipv4", "direction": "egress"})),
        ("/file/path", json!("/tmp/x")),
        ("/host/hostname", json!("node-1")),
        ("/host/os/kernel", json!("6.18.5")),
        ("/host/boot/id", json!("9c1f7a52-20c4-4c1e-a6b0-4d1f6a3f0e11")),
        ("/agent/id", json!("5d0c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22")),
        ("/agent/ephemeral_id", json!("e3b1d6f8-77aa-4f0e-8c66-9b2d5a7c3f33")),
        ("/tidewaiter/schema", json!(3)),
        (
            "/tidewaiter/container",
            json!({"verified": true, "role": "workload", "phase": "steady", "image": {"registry": "docker.io"}}),
        ),
        ("/tidewaiter/images", json!(["/usr/bin/curl"])),
        ("/tidewaiter/lineage/1/executable", json!("/usr/bin/containerd-shim-runc-v2")),
        (
            "/tidewaiter/steps/1",
            json!({
                "offset_ns": 12_000_000, "pid": 4242, "program": "curl", "action": "connected",
                "transport": "tcp", "ip": "10.0.0.2", "port": 80, "direction": "egress",
            }),
        ),
    ] {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}");
    }
    for absent in [
        "/orchestrator",
        "/tidewaiter/truncated",
        "/tidewaiter/pending",
        "/tidewaiter/coverage",
        "/tidewaiter/executable",
        "/tidewaiter/identity",
        "/tidewaiter/process",
        "/tidewaiter/stdin",
    ] {
        assert_eq!(document.pointer(absent), None, "{absent}");
    }
}

#[test]
fn a_destination_has_its_name_and_a_refused_one_its_reason() {
    let document = value(&Message::Alert(Box::new(sample::connections())));
    let expected = json!({"ip": "10.0.0.2", "port": 80, "domain": "files.example.com", "bytes": 92});
    assert_eq!(document["destination"], expected, "the one that took the connection");
    let steps = &document["tidewaiter"]["steps"];
    assert_eq!((&steps[2]["action"], &steps[2]["errno"]), (&json!("failed"), &json!(111)));
    assert_eq!((&steps[5]["action"], &steps[5]["bytes_sent"]), (&json!("transferred"), &json!(3 << 20)));
    assert_eq!(steps[4]["direction"], "ingress");
}

#[test]
fn what_a_correlation_found_stands_in_one_object() {
    let document = value(&Message::Alert(Box::new(sample::correlated())));
    let expected = json!({
        "type": "value_count", "field": ["DestinationPort"], "value": 3, "condition": {"gte": 3},
        "timespan_ns": 10_000_000_000_u64, "matches": 4,
        "first": "2026-11-21T12:03:14.281042Z", "last": "2026-11-21T12:03:15.181042Z",
        "group": {"ContainerName": "web-1"},
        "rules": [{"id": "3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c11", "name": "A connection"}],
    });
    assert_eq!(document["tidewaiter"]["correlation"], expected);
    let message = "curl downloads into a container: curl (pid 4242) in web-1, 4 matches within 900 ms";
    assert_eq!(document["message"], message);
    assert_eq!(document["tidewaiter"]["steps_omitted"], 1);
    assert_eq!(document.pointer("/source"), None, "not all transfers are listed");
}

#[test]
fn kind_comes_first_but_for_the_time() {
    let line = encode(&Document::new(&sample::message(), &sample::origin()));
    assert!(line.starts_with(r#"{"@timestamp":"2026-11-21T12:03:14.281042Z","kind":"alert","#), "{line}");
}

#[test]
fn both_truths_stand_in_an_alert_about_a_trick() {
    let mut alert = sample::alert();
    assert!(value(&Message::Alert(Box::new(alert.clone())))["tidewaiter"].get("identity").is_none());
    let standing = Standing {
        cgroup: Claim::Host,
        mount: Claim::Container("8f3a".into()),
        trick: Some(Trick::CgroupLeft),
        ..Standing::default()
    };
    alert.process = Arc::new(process::Process { standing, ..process::Process::clone(&alert.process) });
    let document = value(&Message::Alert(Box::new(alert)));
    let expected = json!({"trick": "cgroup_left", "cgroup": "host", "mount": "8f3a"});
    assert_eq!(document["tidewaiter"]["identity"], expected);
}

#[test]
fn a_pod_is_an_orchestrator_resource() {
    let mut alert = sample::alert();
    let mut container = sample::container();
    container.pod = Some(crate::state::container::Pod {
        name: "web-0".to_owned(),
        namespace: "shop".to_owned(),
        uid: "u-1".to_owned(),
        ..Default::default()
    });
    alert.container = Some(Arc::new(container));
    let document = value(&Message::Alert(Box::new(alert)));
    let expected = json!({
        "type": "kubernetes", "namespace": "shop",
        "resource": {"type": "pod", "name": "web-0", "id": "u-1"},
    });
    assert_eq!(document["orchestrator"], expected);
    assert_eq!(document["tidewaiter"].get("pod"), None, "the API has not spoken");
}

#[test]
fn what_the_api_tells_of_a_pod_stands_beside_it() {
    let document = value(&Message::Alert(Box::new(sample::in_pod())));
    let expected = json!({
        "type": "pod", "name": "web-65747dc769-pjztg", "id": "4cad64d0-7a36-452a-8a08-bd3a694cdad5",
        "label": ["app=web", "tier=front"], "parent": {"type": "Deployment", "name": "web"},
    });
    assert_eq!(document["orchestrator"]["resource"], expected);
    let expected = json!({"owner": "Deployment/web", "service_account": "shop", "node": "node-1"});
    assert_eq!(document["tidewaiter"]["pod"], expected);
}

#[test]
fn identity_has_the_names_that_rules_use() {
    let document = value(&Message::Alert(Box::new(sample::stranger())));
    let id = sample::container().id;
    for (pointer, expected) in [
        ("/container/image/hash", json!({"all": ["sha256:0123456789ab"]})),
        (
            "/tidewaiter/container",
            json!({
                "verified": false, "phase": "interactive", "nested": ["inner", "c0ffee".repeat(11)[..64]],
                "image": {"id": "sha256:ba9876543210", "registry": "docker.io"},
            }),
        ),
        (
            "/tidewaiter/executable",
            json!({
                "memfd": false, "deleted": false, "upper_layer": true, "written": true,
                "writer": {
                    "pid": 4200, "executable": "/usr/bin/wget", "command_line": "wget http://10.0.0.2/x", "bytes_received": 262_144,
                    "time": "2026-11-21T08:00:01.242000Z",
                },
            }),
        ),
        ("/tidewaiter/identity", json!({"cgroup": "host", "mount": id, "trick": "cgroup_left"})),
        ("/tidewaiter/process", json!({"login_user": {"id": "1000"}, "terminal": "pts/3"})),
        ("/tidewaiter/stdin", json!({"type": "pipe", "id": "4711"})),
        ("/tidewaiter/stdout", json!({"type": "terminal"})),
    ] {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}");
    }
}

/// Whose message it is stands in every line, so that a receiver can count them.
#[test]
fn every_line_tells_whose_it_is() {
    let origin = sample::origin();
    let event =
        encode(&EventDocument::new(&sample::event(), "2026-11-21T12:03:14Z".parse().unwrap(), 1, &origin));
    let event: Value = serde_json::from_str(&event).unwrap();
    let notice = value(&sample::heartbeat());
    for pointer in ["/agent/id", "/agent/ephemeral_id", "/host/boot/id"] {
        assert!(event.pointer(pointer).is_some_and(Value::is_string), "{pointer}");
        assert_eq!(event.pointer(pointer), notice.pointer(pointer), "{pointer}");
    }
}

/// What alerts and events both tell stands at the same place in both.
#[test]
fn alerts_and_events_agree_on_identity() {
    let alert = sample::stranger();
    let event = crate::event::Event {
        process: alert.process.clone(),
        container: alert.container.clone(),
        phase: alert.phase,
        ..sample::event()
    };
    let alert = value(&Message::Alert(Box::new(alert)));
    let time = "2026-11-21T12:03:14.281042123Z".parse().unwrap();
    let event = encode(&EventDocument::new(&event, time, 1, &sample::origin()));
    let event: Value = serde_json::from_str(&event).unwrap();
    for (pointer, is_whole) in [
        ("/container/image/hash", true),
        ("/tidewaiter/container", false),
        ("/tidewaiter/executable", true),
        ("/tidewaiter/identity", true),
        ("/tidewaiter/process/terminal", true),
        ("/tidewaiter/process/login_user", true),
        ("/tidewaiter/stdin", true),
        ("/tidewaiter/stdout", true),
    ] {
        let (one, other) = (alert.pointer(pointer), event.pointer(pointer));
        assert!(one.is_some() && (one == other || !is_whole), "{pointer}: {one:?} {other:?}");
    }
    for name in ["verified", "phase", "nested", "image"] {
        assert_eq!(alert["tidewaiter"]["container"][name], event["tidewaiter"]["container"][name], "{name}");
    }
}

#[test]
fn nothing_is_cut_where_it_fits() {
    let (message, origin) = (sample::message(), sample::origin());
    let whole = encode(&Document::new(&message, &origin));
    assert_eq!(fit(Document::new(&message, &origin), whole.len()), whole);
    let cut: Value = serde_json::from_str(&fit(Document::new(&message, &origin), whole.len() - 1)).unwrap();
    assert_eq!(cut["tidewaiter"]["truncated"], true);
    assert_eq!(cut["tidewaiter"].get("response"), None, "explanations go first");
    assert_eq!(cut["process"]["args"][0], "curl", "and nothing else");
}

#[test]
fn long_command_lines_of_others_do_not_cost_the_own_arguments() {
    let mut alert = sample::alert();
    let script = ["bash".to_owned(), "-c".to_owned(), "x".repeat(8_000)];
    for ancestor in &mut alert.ancestors {
        Arc::make_mut(ancestor).arguments = script.as_slice().into();
    }
    let line = fit(Document::new(&Message::Alert(Box::new(alert)), &sample::origin()), 7_500);
    let document: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(document["tidewaiter"]["truncated"], true);
    assert_eq!(document["process"]["args"][3], "http://10.0.0.2/payload");
}

#[test]
fn any_document_fits_into_four_thousand_bytes_and_keeps_its_identity() {
    let origin = sample::origin();
    let mut many_losses = sample::loss();
    if let Message::Notice(notice) = &mut many_losses
        && let Subject::Loss(losses) = &mut notice.subject
    {
        losses[0].what = sample::HOSTILE.repeat(99);
        *losses = vec![losses[0].clone(); 99];
    }
    let hostile = Message::Alert(Box::new(sample::hostile()));
    let mut many_aggregates = sample::aggregation();
    if let Message::Notice(notice) = &mut many_aggregates
        && let Subject::Aggregation(rows) = &mut notice.subject
    {
        *rows = vec![rows[0].clone(); 99];
    }
    let mut many_rules = sample::reload();
    let mut many_mistakes = sample::refusal();
    for message in [&mut many_rules, &mut many_mistakes] {
        let Message::Notice(notice) = message else { continue };
        if let Subject::Reload(Reload::Loaded(change)) = &mut notice.subject {
            change.added.first[0].title = sample::HOSTILE.repeat(99);
            change.added.first = vec![change.added.first[0].clone(); 99];
            change.removed = change.added.clone();
            change.changed = change.added.clone();
        }
        if let Subject::Reload(Reload::Refused(refusal)) = &mut notice.subject {
            refusal.first[0].message = sample::HOSTILE.repeat(99);
            refusal.first[0].help = Some(sample::HOSTILE.repeat(99));
            refusal.first = vec![refusal.first[0].clone(); 99];
        }
    }
    let mut many_costs = sample::cost();
    if let Message::Notice(notice) = &mut many_costs
        && let Subject::Cost(costs) = &mut notice.subject
    {
        costs[0].name.title = sample::HOSTILE.repeat(99);
        costs[0].source = sample::HOSTILE.repeat(99);
        *costs = vec![costs[0].clone(); 99];
    }
    let mut many_sums = sample::heartbeat();
    if let Message::Notice(notice) = &mut many_sums
        && let Subject::Heartbeat(beat) = &mut notice.subject
    {
        beat.losses[0].what = sample::HOSTILE.repeat(99);
        beat.losses = vec![beat.losses[0].clone(); 99];
        beat.sinks[0].name = sample::HOSTILE.repeat(99);
        beat.sinks = vec![beat.sinks[0].clone(); 99];
    }
    let many = [hostile, many_losses, many_aggregates, many_rules, many_mistakes, many_costs, many_sums];
    for message in many.into_iter().chain([sample::coverage()]) {
        for bytes in [4_000, 5_000, 7_500] {
            let line = fit(Document::new(&message, &origin), bytes);
            assert!(line.len() <= bytes, "{} > {bytes}", line.len());
            let document: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(document["kind"], Kind::of(&message).name());
            assert_eq!(document["event"]["id"], "01932b9e-4c11-7abc-8def-0123456789ab");
        }
    }
}
