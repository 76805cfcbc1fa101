//! What a line of `tidewaiter events` says, and where.

use super::*;
use crate::event::{Direction, FileAction, FileChange, Protocol};
use crate::sink::{json, sample};

fn told(body: Body) -> Value {
    let event = Event { body, ..sample::event() };
    let time = "2026-11-21T12:03:14.281042123Z".parse().unwrap();
    let line = json::encode(&EventDocument::new(&event, time, 7, &sample::origin()));
    serde_json::from_str(&line).unwrap()
}

fn flow(state: FlowState) -> Body {
    Body::NetworkFlow(Flow {
        connection: Connection {
            socket: u64::MAX,
            protocol: Protocol::Tcp,
            address: "10.0.0.2".parse().unwrap(),
            port: 80,
            hostname: None,
            direction: Direction::Outbound,
            connected: true,
        },
        bytes_sent: 92,
        bytes_received: 1_258_291,
        bytes_sent_new: 2,
        bytes_received_new: 291,
        state,
    })
}

#[test]
fn who_what_and_when_stand_where_alerts_have_them() {
    let told = told(Body::ProcessCreation);
    assert_eq!(told["@timestamp"], "2026-11-21T12:03:14.281042Z");
    assert_eq!((&told["kind"], &told["event"]["action"]), (&"event".into(), &"exec".into()));
    assert_eq!(told["process"]["executable"], "/usr/bin/curl");
    assert_eq!(told["process"]["args"][0], "curl");
    assert_eq!(told["process"]["parent"]["pid"], 4240);
    assert_eq!(told["container"]["name"], "web-1");
    assert_eq!(told["user"]["id"], "0", "a text in ECS");
    assert_eq!(told["tidewaiter"]["lineage"]["executable"][0], "/bin/sh");
}

#[test]
fn bytes_and_the_end_of_a_flow_are_told() {
    let closed = told(flow(FlowState::Closed));
    assert_eq!(
        (&closed["source"]["bytes"], &closed["destination"]["bytes"]),
        (&92.into(), &1_258_291.into())
    );
    assert_eq!(closed["destination"]["ip"], "10.0.0.2");
    let failed = told(flow(FlowState::Failed(111)));
    let [id, same] = [&closed, &failed].map(|event| event["tidewaiter"]["network"]["id"].as_str());
    assert!(id.is_some() && id == same, "it joins the events of a socket");
    let address = [u64::MAX.to_string(), format!("{:016x}", u64::MAX)];
    assert!(address.iter().all(|address| id != Some(address)), "and does not tell where the kernel keeps it");
    assert_eq!(
        (&failed["event"]["action"], &failed["tidewaiter"]["network"]["errno"]),
        (&"fail".into(), &111.into())
    );
}

#[test]
fn a_file_has_its_path_and_what_is_known_of_its_bytes() {
    let change = FileChange {
        action: FileAction::Close,
        path: "/tmp/x".to_owned(),
        bytes: Some(5),
        ..FileChange::default()
    };
    let told = told(Body::FileEvent(change));
    assert_eq!(
        (&told["file"]["path"], &told["tidewaiter"]["file"]["bytes_written"]),
        (&"/tmp/x".into(), &5.into())
    );
    assert_eq!((&told["event"]["action"], &told["file"].get("size")), (&"close".into(), &None));
}

#[test]
fn no_name_of_the_table_lies_inside_another() {
    for (_, _, name, _) in TABLE {
        let inside = TABLE.iter().find(|(_, _, other, _)| other.starts_with(&format!("{name}.")));
        assert!(inside.is_none(), "{name} would be hidden by {inside:?}");
    }
}
