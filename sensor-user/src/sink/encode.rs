//! The one encoder at the edge: a message becomes the bytes that are kept and sent, once.

use jiff::Timestamp;
use uuid::Uuid;

use super::document::{Document, Kind, fit};
use super::json;
use super::origin::Origin;
use super::syslog::{Severity, room};
use super::text::escape::{escaped_size, is_unsafe, push_escaped};
use crate::alert::{Alert, CanaryReport, Message, Reload, Subject};
use crate::octet;
use crate::outbox::{Envelope, Rank};

/// Enterprise number of the structured data: the one that RFC 5612 keeps for documentation, since
/// this project has none of its own. Receivers match on the whole name `tidewaiter@32473`.
const ENTERPRISE: u32 = 32_473;

/// APP-NAME, and the tag of the older form.
pub(super) const NAME: &str = "tidewaiter";

/// Longest document that is kept whole, bytes: longer ones are kept as they fit a frame, and say that they were cut.
/// Story and lists are bounded, so that none comes near it.
const DOCUMENT_MAX: usize = 512 << 10;

/// A message, encoded.
#[must_use]
pub fn encode(message: &Message, origin: &Origin) -> Envelope {
    let (id, sequence, time) = facts(message);
    let header = header(message, origin);
    let room = room(&header);
    let whole = json::encode(&Document::new(message, origin));
    let fitted = (whole.len() > room).then(|| fit(Document::new(message, origin), room));
    let (document, fitted) = match fitted {
        Some(fitted) if whole.len() > DOCUMENT_MAX => (fitted, None),
        fitted => (whole, fitted),
    };
    let (severity, rank) = (Severity::of(message) as u8, rank(message));
    // As the log keeps it.
    let time = Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    Envelope { sequence, id, time, severity, rank, pid: origin.pid, header, document, fitted }
}

fn facts(message: &Message) -> (Uuid, u64, Timestamp) {
    match message {
        Message::Alert(alert) => (alert.id, alert.sequence, alert.time),
        Message::Notice(notice) => (notice.id, notice.sequence, notice.time),
    }
}

/// What goes first where there is no room for all.
fn rank(message: &Message) -> Rank {
    match message {
        Message::Alert(alert) => match alert.level {
            sigma::Level::Informational => Rank::Informational,
            sigma::Level::Low => Rank::Low,
            sigma::Level::Medium => Rank::Medium,
            sigma::Level::High => Rank::High,
            sigma::Level::Critical => Rank::Critical,
        },
        Message::Notice(notice) => match notice.subject {
            Subject::Loss(_)
            | Subject::Tampering(_)
            | Subject::Reload(Reload::Refused(_))
            | Subject::Canary(CanaryReport::Failed { .. }) => Rank::Warning,
            Subject::Coverage(_)
            | Subject::Aggregation(_)
            | Subject::Reload(Reload::Loaded(_))
            | Subject::Cost(_)
            | Subject::Canary(CanaryReport::Well { .. })
            | Subject::Heartbeat(_)
            | Subject::Stopped(_) => Rank::Report,
        },
    }
}

/// RFC 5424 section 6: `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD]`.
fn header(message: &Message, origin: &Origin) -> String {
    let (_, _, time) = facts(message);
    format!(
        "{time:.6} {host} {NAME} {pid} {msgid} {data}",
        host = hostname(&origin.hostname),
        pid = origin.pid,
        msgid = Kind::of(message).name(),
        data = structured_data(message),
    )
}

/// HOSTNAME: 1 to 255 of printable ASCII (RFC 5424 section 6), `-` for none.
fn hostname(name: &str) -> String {
    const HOSTNAME_MAX: usize = 255;
    let name: String = name.chars().filter(char::is_ascii_graphic).take(HOSTNAME_MAX).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// `[tidewaiter@32473 id="…" seq="…" level="…" …]`: what a receiver filters by without parsing the
/// document. Names are unique, lower case and at most 32 long (section 6.3.3).
fn structured_data(message: &Message) -> String {
    let (id, sequence, _) = facts(message);
    let mut data = format!("[{NAME}@{ENTERPRISE} id=\"{id}\" seq=\"{sequence}\"");
    if let Message::Alert(alert) = message {
        for (name, value) in parameters(alert) {
            data.push_str(&format!(" {name}=\"{}\"", parameter_value(&value)));
        }
    }
    data.push(']');
    data
}

fn parameters(alert: &Alert) -> Vec<(&'static str, String)> {
    let mut parameters = vec![
        ("level", alert.level.name().to_owned()),
        ("rule", octet::foreign(&alert.detection.id).into_owned()),
        ("detection", octet::foreign(&alert.detection.name).into_owned()),
    ];
    if !alert.detection.techniques.is_empty() {
        parameters.push(("technique", alert.detection.techniques.join(",")));
    }
    if let Some(container) = &alert.container {
        parameters.push(("container", container.id.clone()));
        if let Some(name) = &container.name {
            parameters.push(("container_name", octet::foreign(name).into_owned()));
        }
    }
    parameters
}

/// PARAM-VALUE (section 6.3.3): `"`, `\` and `]` escaped by a `\`. Within, what is unsafe is `\uXXXX` and a backslash
/// `\\`, since the RFC has no word for them. Bounded so that all parameters together leave the frame to the document;
/// one that is cut ends with an ellipsis.
fn parameter_value(value: &str) -> String {
    const VALUE_MAX: usize = 128;
    const ELLIPSIS: char = '…';
    // The backslash of each escape is escaped once more.
    let size = |character: char| match character {
        '"' | ']' => 2,
        '\\' => 4,
        _ if is_unsafe(character) => escaped_size(character) + character.len_utf16(),
        _ => character.len_utf8(),
    };
    let is_cut = value.chars().map(size).sum::<usize>() > VALUE_MAX;
    let room = if is_cut { VALUE_MAX - ELLIPSIS.len_utf8() } else { VALUE_MAX };
    let (mut escaped, mut inner) = (String::with_capacity(value.len()), String::new());
    for character in value.chars() {
        if escaped.len() + size(character) > room {
            break;
        }
        inner.clear();
        push_escaped(&mut inner, character);
        for character in inner.chars() {
            if matches!(character, '"' | '\\' | ']') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
    }
    if is_cut {
        escaped.push(ELLIPSIS);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;
    use crate::sink::syslog::FRAME_MAX;

    #[test]
    fn parameter_values_are_escaped_and_bounded() {
        assert_eq!(parameter_value(r#"a"b\c]d"#), r#"a\"b\\\\c\]d"#);
        assert_eq!(parameter_value("a\nb\u{202e}"), r"a\\u000ab\\u202e");
        assert_eq!(parameter_value(&"a".repeat(128)), "a".repeat(128));
        for text in ["]".repeat(500), "é".repeat(500), "a".repeat(500), "\u{e0041}".repeat(99)] {
            let value = parameter_value(&text);
            assert!(value.len() <= 128, "{}", value.len());
            assert!(value.len() > 113 && value.ends_with('…'));
        }
    }

    #[test]
    fn host_names_are_printable() {
        assert_eq!(hostname("node-1"), "node-1");
        assert_eq!(hostname("a b\nc"), "abc");
        assert_eq!(hostname("ü"), "-");
        assert_eq!(hostname(&"h".repeat(999)).len(), 255);
    }

    #[test]
    fn a_long_document_is_kept_whole_beside_the_one_that_fits() {
        let mut alert = sample::alert();
        alert.steps = vec![alert.steps[0].clone(); 200];
        let envelope = encode(&Message::Alert(Box::new(alert)), &sample::origin());
        let fitted = envelope.fitted.as_ref().expect("it does not fit");
        assert!(envelope.document.len() > fitted.len());
        assert!(!envelope.document.contains("\"truncated\":true") && fitted.contains("\"truncated\":true"));
        assert_eq!(envelope.body(), fitted);
    }

    #[test]
    fn one_beyond_any_measure_is_kept_as_it_fits() {
        let envelope = encode(&Message::Alert(Box::new(sample::hostile())), &sample::origin());
        assert!(envelope.document.len() <= FRAME_MAX && envelope.fitted.is_none());
        assert!(envelope.document.contains("\"truncated\":true"));
    }

    #[test]
    fn what_warns_outranks_every_alert_and_reports_none() {
        let rank = |message: &Message| encode(message, &sample::origin()).rank;
        assert!(rank(&sample::loss()) > Rank::Critical);
        assert!(rank(&sample::coverage()) < Rank::Informational);
        assert_eq!(rank(&sample::message()), Rank::High);
    }
}
