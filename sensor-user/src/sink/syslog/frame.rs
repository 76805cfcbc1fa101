//! One message as the bytes that travel: RFC 5424, its octet-counted form, and the older form for
//! local sockets.
//!
//! What receivers really do bounds this more tightly than the RFCs: frames of at most
//! [`FRAME_MAX`] bytes, six fraction digits in timestamps (nine corrupt the time at some), no byte
//! order mark before the text (it stays in front of the JSON), and everything in printable ASCII up
//! to the message.

use bytes::Bytes;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::SyslogTarget;
use super::priority::{Facility, priority};
use crate::alert::{Alert, Message};
use crate::sink::document::{Document, Kind, fit};
use crate::sink::origin::Origin;
use crate::sink::text::escape::is_unsafe;

/// Longest syslog message, bytes, without the count in front. RFC 5424 section 6.1 asks receivers
/// for 2,048 only, but common ones take 8,096 and then cut in silence, or take the rest for a
/// message of its own.
pub const FRAME_MAX: usize = 8_000;

/// Enterprise number of the structured data: the one that RFC 5612 keeps for documentation, since
/// this project has none of its own. Receivers match on the whole name `tidewaiter@32473`.
const ENTERPRISE: u32 = 32_473;

/// APP-NAME, and the tag of the older form.
const NAME: &str = "tidewaiter";

/// A message as one receiver gets it. Encoded once: what is sent again is the same to the byte.
pub(super) fn encode(message: &Message, target: &SyslogTarget, facility: Facility, origin: &Origin) -> Bytes {
    Bytes::from(match target {
        SyslogTarget::Udp { .. } => rfc5424(message, facility, origin),
        // RFC 5425 section 4.3 frames as RFC 6587 does.
        SyslogTarget::Tcp { .. } | SyslogTarget::Tls(_) => octet_counted(&rfc5424(message, facility, origin)),
        SyslogTarget::Unix { .. } => rfc3164(message, facility, origin, &TimeZone::system()),
    })
}

/// RFC 6587 section 3.4.1: the length in decimal, a blank, the message. A newline inside a message
/// cannot end it, unlike in the section after that.
fn octet_counted(frame: &str) -> String {
    format!("{} {frame}", frame.len())
}

fn facts(message: &Message) -> (Uuid, u64, jiff::Timestamp) {
    match message {
        Message::Alert(alert) => (alert.id, alert.sequence, alert.time),
        Message::Notice(notice) => (notice.id, notice.sequence, notice.time),
    }
}

/// RFC 5424 section 6: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG`.
fn rfc5424(message: &Message, facility: Facility, origin: &Origin) -> String {
    let (_, _, time) = facts(message);
    let head = format!(
        "<{pri}>1 {time:.6} {host} {NAME} {pid} {msgid} {data} ",
        pri = priority(facility, message),
        host = hostname(&origin.hostname),
        pid = origin.pid,
        msgid = Kind::of(message).name(),
        data = structured_data(message),
    );
    with_document(head, message, origin)
}

/// RFC 3164 section 4.1 as local sockets have it: local time, no HOSTNAME (the receiver knows its
/// own), `TAG[PID]:`.
fn rfc3164(message: &Message, facility: Facility, origin: &Origin, zone: &TimeZone) -> String {
    let (_, _, time) = facts(message);
    let head = format!(
        "<{pri}>{time} {NAME}[{pid}]: ",
        pri = priority(facility, message),
        time = time.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S"),
        pid = origin.pid,
    );
    with_document(head, message, origin)
}

fn with_document(mut frame: String, message: &Message, origin: &Origin) -> String {
    let room = FRAME_MAX.saturating_sub(frame.len());
    frame.push_str(&fit(Document::new(message, origin), room));
    frame
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
        ("rule", alert.detection.id.clone()),
        ("detection", alert.detection.name.clone()),
    ];
    if !alert.detection.techniques.is_empty() {
        parameters.push(("technique", alert.detection.techniques.join(",")));
    }
    if let Some(container) = &alert.container {
        parameters.push(("container", container.id.clone()));
        if let Some(name) = &container.name {
            parameters.push(("container_name", name.clone()));
        }
    }
    parameters
}

/// PARAM-VALUE (section 6.3.3): `"`, `\` and `]` escaped, unsafe characters replaced, bounded so
/// that all parameters together leave the frame to the document.
fn parameter_value(value: &str) -> String {
    const VALUE_MAX: usize = 128;
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        let character = if is_unsafe(character) { '?' } else { character };
        if escaped.len() + character.len_utf8() + 1 > VALUE_MAX {
            break;
        }
        if matches!(character, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests;
