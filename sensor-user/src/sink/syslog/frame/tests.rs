//! Frames byte by byte.

use serde_json::Value;

use super::*;
use crate::alert::Message;
use crate::sink::text::escape::is_unsafe;
use crate::sink::{encode, sample};

const HEAD: &str = "<83>1 2026-11-21T12:03:14.281042Z node-1 tidewaiter 77 alert ";

fn encoded(message: &Message) -> Envelope {
    encode::encode(message, &sample::origin())
}

fn frame(message: &Message) -> String {
    rfc5424(&encoded(message), Facility::Authpriv, Form::Ecs)
}

/// Splits a frame behind its structured data, as a receiver does: the first `]` that is not escaped.
fn document(frame: &str) -> Value {
    let mut escaped = false;
    let end = frame
        .char_indices()
        .find(|(_, character)| {
            let ends = *character == ']' && !escaped;
            escaped = *character == '\\' && !escaped;
            ends
        })
        .expect("structured data ends")
        .0;
    let message = frame[end + 1..].strip_prefix(' ').expect("a blank before the message");
    serde_json::from_str(message).unwrap_or_else(|error| panic!("{error}: {message}"))
}

#[test]
fn an_alert_in_rfc5424() {
    let frame = frame(&sample::message());
    let data = r#"[tidewaiter@32473 id="01932b9e-4c11-7abc-8def-0123456789ab" seq="7" level="high" "#;
    assert!(frame.starts_with(&format!("{HEAD}{data}")), "{frame}");
    assert!(frame.contains(r#" technique="T1105" container="8f3a2c91d0b4"#), "{frame}");
    assert!(frame.contains(r#" container_name="web-1"] {"@timestamp""#), "{frame}");
    assert_eq!(document(&frame)["tidewaiter"]["steps"][1]["port"], 80);
}

#[test]
fn notices_have_their_message_id_and_severity() {
    for (message, priority, name) in [
        (sample::coverage(), 86, "coverage"),
        (sample::loss(), 84, "loss"),
        (sample::tampering(), 84, "tampering"),
        (sample::heartbeat(), 86, "heartbeat"),
        (sample::stopped(), 85, "stopped"),
    ] {
        let frame = frame(&message);
        assert!(frame.starts_with(&format!("<{priority}>1 ")), "{frame}");
        assert_eq!(frame.split(' ').nth(5), Some(name));
        assert_eq!(document(&frame)["kind"], name);
    }
}

#[test]
fn never_emergency_or_alert() {
    for level in sigma::Level::ALL {
        let mut alert = sample::alert();
        alert.level = level;
        let priority = priority(Facility::Local7, encoded(&Message::Alert(Box::new(alert))).severity);
        assert!(priority % 8 >= 2, "{level}: {priority}");
        assert!(priority <= 191);
    }
}

#[test]
fn hostile_text_stays_inside_and_fits() {
    let message = Message::Alert(Box::new(sample::hostile()));
    for frame in [frame(&message), rfc3164(&encoded(&message), Facility::Authpriv, Form::Ecs, &TimeZone::UTC)]
    {
        assert!(frame.len() <= FRAME_MAX, "{}", frame.len());
        assert!(!frame.chars().any(is_unsafe), "{frame}");
    }
    let frame = frame(&message);
    let document = document(&frame);
    assert_eq!(document["tidewaiter"]["truncated"], true);
    assert_eq!(document["event"]["sequence"], 7);
    assert_eq!(document["process"]["pid"], u32::MAX);
    assert!(document["rule"]["name"].as_str().unwrap().starts_with("x\u{1b}[2J"));
}

#[test]
fn an_alert_for_a_local_socket() {
    let message = sample::message();
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let frame = rfc3164(&encoded(&message), Facility::Daemon, Form::Ecs, &zone);
    assert!(frame.starts_with("<27>Nov 21 13:03:14 tidewaiter[77]: {\"@timestamp\""), "{frame}");
}

#[test]
fn octets_are_counted_not_characters() {
    assert_eq!(octet_counted("aé\n"), "4 aé\n");
}
