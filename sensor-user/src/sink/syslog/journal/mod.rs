//! Entries of systemd's journal in its own protocol (systemd, docs/JOURNAL_NATIVE_PROTOCOL.md): fields that journalctl
//! filters by, and the whole document beside them, which here needs to fit no frame.
//!
//! Not here: opening the socket (`link`), and the journal's other socket, /dev/log, which is spoken to as any local daemon.

mod socket;

use serde_json::Value;

use super::priority::{Facility, priority};
use crate::outbox::Envelope;
use crate::sink::document::Kind;
use crate::sink::encode::NAME;
use crate::sink::text::escape::visible;

pub(super) use socket::send;

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Fields that are copied out of the document.
const COPIED: [(&str, &str); 10] = [
    ("MESSAGE", "/message"),
    ("TIDEWAITER_KIND", "/kind"),
    ("TIDEWAITER_EVENT_ID", "/event/id"),
    ("TIDEWAITER_AGENT_ID", "/agent/id"),
    ("TIDEWAITER_LEVEL", "/rule/level"),
    ("TIDEWAITER_RULE", "/rule/id"),
    ("TIDEWAITER_RULE_NAME", "/rule/name"),
    ("TIDEWAITER_DETECTION", "/tidewaiter/detection"),
    ("TIDEWAITER_CONTAINER_ID", "/container/id"),
    ("TIDEWAITER_CONTAINER_NAME", "/container/name"),
];

/// A message as one entry.
pub(super) fn encode(envelope: &Envelope, facility: Facility) -> Vec<u8> {
    let document: Value = serde_json::from_str(&envelope.document).unwrap_or_default();
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let mut entry = Entry(Vec::with_capacity(envelope.document.len() + 1024));
    for (name, pointer) in COPIED {
        if let Some(text) = text(pointer) {
            // In the document it is escaped; here it would stand as a process wrote it.
            entry.field(name, &visible(text));
        }
    }
    entry.field("TIDEWAITER_SEQUENCE", &envelope.sequence.to_string());
    entry.field("PRIORITY", &envelope.severity.to_string());
    entry.field("SYSLOG_FACILITY", &(priority(facility, 0) / 8).to_string());
    entry.field("SYSLOG_IDENTIFIER", NAME);
    entry.field("SYSLOG_PID", &envelope.pid.to_string());
    if let Some(id) = text("/kind").and_then(message_id) {
        entry.field("MESSAGE_ID", id);
    }
    entry.field("TIDEWAITER_DOCUMENT", &envelope.document);
    entry.0
}

/// What the journal's catalogue knows a kind by: made once, at random, for good.
fn message_id(kind: &str) -> Option<&'static str> {
    Kind::ALL.into_iter().find(|known| known.name() == kind).map(id_of)
}

fn id_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert => "9431d50557194919b8ac3c72a5591e8b",
        Kind::Amendment => "6a66050db065451abcc795d3d38d91db",
        Kind::Coverage => "d9ba2053438b40aea44ed60aa71ac3d9",
        Kind::Loss => "83279ab9b837463f8c0f2686e967b7b0",
        Kind::Tampering => "13778ed92e624275b6e553d0fe65eb13",
        Kind::Aggregation => "a4bc8146cc8744619360f3fd31e315c6",
        Kind::Reload => "e746a23d14ea48f3afb4496b03766ec2",
        Kind::Cost => "55ddd530a57f4e4bb3abe2f7239bdd83",
        Kind::Heartbeat => "b54d48e18f024ddf8a3add827c06af31",
        Kind::Canary => "5d0a6be1f3f94c3a9c1b0d86a2e1747e",
        Kind::Stopped => "c42fcb01a4ba42118a4e5ac09e8f01d8",
    }
}

/// Fields, one after the other.
struct Entry(Vec<u8>);

impl Entry {
    /// `NAME=VALUE`, or, where a line break is in the value, the name, the length in 64 bits, little end first, and the value.
    fn field(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            self.0.push(b'\n');
            self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::alert::Message;
    use crate::sink::{encode as kept, sample};

    fn encoded(message: &Message) -> Vec<u8> {
        encode(&kept::encode(message, &sample::origin()), Facility::Authpriv)
    }

    /// As journald reads an entry.
    fn fields(mut entry: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut fields = BTreeMap::new();
        while let Some(end) = entry.iter().position(|byte| *byte == b'\n') {
            let line = &entry[..end];
            let (name, value, rest) = match line.iter().position(|byte| *byte == b'=') {
                Some(at) => (&line[..at], &line[at + 1..], &entry[end + 1..]),
                None => {
                    let (length, rest) = entry[end + 1..].split_first_chunk::<8>().unwrap();
                    let (value, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
                    (line, value, rest.strip_prefix(b"\n").unwrap())
                }
            };
            let name = String::from_utf8(name.to_vec()).unwrap();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && name.len() <= 64,
                "{name}"
            );
            assert_eq!(fields.insert(name, value.to_vec()), None);
            entry = rest;
        }
        assert!(entry.is_empty());
        fields
    }

    #[test]
    fn an_alert_has_what_is_filtered_by_and_the_whole() {
        let message = sample::message();
        let fields = fields(&encoded(&message));
        let text = |name: &str| String::from_utf8(fields[name].clone()).unwrap();
        for (name, value) in [
            ("PRIORITY", "3"),
            ("SYSLOG_FACILITY", "10"),
            ("SYSLOG_IDENTIFIER", "tidewaiter"),
            ("SYSLOG_PID", "77"),
            ("MESSAGE_ID", id_of(Kind::Alert)),
            ("TIDEWAITER_KIND", "alert"),
            ("TIDEWAITER_SEQUENCE", "7"),
            ("TIDEWAITER_LEVEL", "high"),
            ("TIDEWAITER_CONTAINER_NAME", "web-1"),
        ] {
            assert_eq!(text(name), value, "{name}");
        }
        assert_eq!(text("TIDEWAITER_DOCUMENT"), kept::encode(&message, &sample::origin()).document);
        assert!(!text("MESSAGE").is_empty());
    }

    #[test]
    fn nobody_breaks_out_of_a_field() {
        for (name, value) in &fields(&encoded(&Message::Alert(Box::new(sample::hostile())))) {
            let value = std::str::from_utf8(value).unwrap();
            assert!(!value.chars().any(char::is_control), "{name}: {value:?}");
        }
        let mut entry = Entry(Vec::new());
        entry.field("A", "x\nPRIORITY=0\n");
        entry.field("B", "=y");
        let expected = [("A", &b"x\nPRIORITY=0\n"[..]), ("B", b"=y")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(fields(&entry.0), expected.into());
    }

    #[test]
    fn every_kind_has_an_id_of_its_own() {
        let ids: std::collections::BTreeSet<_> = Kind::ALL.map(id_of).into();
        assert_eq!(ids.len(), Kind::ALL.len());
        assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4)));
    }
}
