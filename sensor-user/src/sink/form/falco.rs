//! The JSON that Falco's `http_output` sends, for receivers made for Falco: falcosidekick with all it passes on to.
//!
//! The facts are those of falcosidekick at 8807ab7b (2026-08-17). `types/types.go`, `FalcoPayload`: the names `uuid`,
//! `output`, `priority`, `rule`, `time` (RFC 3339), `output_fields`, `source`, `tags`, `hostname`; `Check` refuses a payload
//! without priority, rule, time or any output field. `types/priority.go`: the words of priorities. `handlers.go`: what
//! stands in `k8s.ns.name` and `k8s.pod.name` has to be text. `main.go`, `regOutputFormat`: `output` begins with the time of
//! day, the priority and a colon between. Names of output fields are those of Falco's own events
//! (<https://falco.org/docs/reference/rules/supported-fields/>) where it has one that means the same; what it has none for
//! stands under this sensor's.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::outbox::{Envelope, Rank};
use crate::sink::json;

/// Longest text of an output field, characters: twice the longest path of Linux. falcosidekick itself cuts to 512 bytes
/// where a payload has more than 4 KiB.
const TEXT_MAX: usize = 8192;

/// Shortest that texts are cut to in order to fit.
const TEXT_MIN: usize = 16;

/// What Falco calls the place outside of containers.
const HOST: &str = "host";

/// Where a value stands in the document, and Falco's name for it.
const FIELDS: &[(&str, &str)] = &[
    ("/process/name", "proc.name"),
    ("/process/pid", "proc.pid"),
    ("/process/command_line", "proc.cmdline"),
    ("/process/executable", "proc.exepath"),
    ("/process/working_directory", "proc.cwd"),
    ("/process/parent/name", "proc.pname"),
    ("/process/parent/pid", "proc.ppid"),
    ("/process/parent/command_line", "proc.pcmdline"),
    ("/process/user/name", "user.name"),
    ("/tidewaiter/process/login_user/id", "user.loginuid"),
    ("/container/name", "container.name"),
    ("/container/image/name", "container.image"),
    ("/orchestrator/namespace", "k8s.ns.name"),
    ("/orchestrator/resource/name", "k8s.pod.name"),
    ("/orchestrator/resource/id", "k8s.pod.uid"),
    ("/file/path", "fs.path.name"),
    ("/destination/ip", "fd.rip"),
    ("/destination/port", "fd.rport"),
    ("/destination/domain", "fd.rip.name"),
    ("/network/transport", "fd.l4proto"),
    ("/event/id", "event.id"),
    ("/event/sequence", "event.sequence"),
    ("/agent/id", "agent.id"),
    ("/rule/id", "rule.id"),
    ("/rule/level", "rule.level"),
    ("/source/bytes", "source.bytes"),
    ("/destination/bytes", "destination.bytes"),
    ("/tidewaiter/detection", "tidewaiter.detection"),
    ("/tidewaiter/story/id", "tidewaiter.story.id"),
];

/// As falcosidekick decodes it.
#[derive(Debug, Serialize)]
struct Payload<'a> {
    uuid: String,
    output: String,
    priority: &'static str,
    rule: String,
    time: String,
    source: &'static str,
    hostname: &'a str,
    tags: Vec<String>,
    output_fields: Map<String, Value>,
}

/// A message as Falco would send it, one line, at most `room` bytes where that can be: what a payload has at least takes
/// some 2 KiB.
pub(super) fn render(envelope: &Envelope, room: usize) -> String {
    let document: Value = serde_json::from_str(&envelope.document).unwrap_or_default();
    let mut longest = TEXT_MAX;
    loop {
        let line = json::encode(&payload(envelope, &document, longest));
        if line.len() <= room || longest <= TEXT_MIN {
            return line;
        }
        longest /= 2;
    }
}

fn payload<'a>(envelope: &Envelope, document: &'a Value, longest: usize) -> Payload<'a> {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("message");
    let is_alert = envelope.rank >= Rank::Informational && envelope.rank <= Rank::Critical;
    let priority = priority(envelope.severity);
    let message = cut(text("/message").unwrap_or(kind), longest);
    let clock = envelope.time.to_zoned(TimeZone::UTC).strftime("%H:%M:%S.%9f").to_string();
    let rule = text("/rule/name").map_or_else(|| format!("Tidewaiter {kind}"), |rule| cut(rule, longest));
    Payload {
        uuid: envelope.id.to_string(),
        output: format!("{clock}: {priority} {message}"),
        priority,
        rule,
        time: format!("{:.9}", envelope.time),
        // Falco's word for what comes of system calls, and for what it says of itself.
        source: if is_alert { "syscall" } else { "internal" },
        hostname: text("/host/hostname").unwrap_or_default(),
        tags: tags(document, kind, is_alert),
        output_fields: output_fields(envelope, document, longest),
    }
}

/// Falco's words for the severities of syslog, which its priorities are named after.
fn priority(severity: u8) -> &'static str {
    match severity {
        0 => "Emergency",
        1 => "Alert",
        2 => "Critical",
        3 => "Error",
        4 => "Warning",
        5 => "Notice",
        6 => "Informational",
        _ => "Debug",
    }
}

/// As Falco's own rules have them: where, the tactics of ATT&CK as `mitre_…`, the techniques by id.
fn tags(document: &Value, kind: &str, is_alert: bool) -> Vec<String> {
    let mut tags = vec![kind.to_owned()];
    if is_alert {
        let place = if document.get("container").is_some() { "container" } else { HOST };
        tags.push(place.to_owned());
    }
    let list = |pointer| document.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let tactics = list("/threat/tactic/name").filter_map(Value::as_str);
    tags.extend(tactics.map(|tactic| format!("mitre_{}", tactic.replace('-', "_"))));
    tags.extend(list("/threat/technique/id").filter_map(Value::as_str).map(str::to_owned));
    tags
}

fn output_fields(envelope: &Envelope, document: &Value, longest: usize) -> Map<String, Value> {
    let mut fields = Map::new();
    // Falco's own form of a time: nanoseconds since the epoch.
    let nanoseconds = i64::try_from(envelope.time.as_nanosecond()).unwrap_or(i64::MAX);
    fields.insert("evt.time".to_owned(), nanoseconds.into());
    for (pointer, name) in FIELDS {
        let Some(value) = document.pointer(pointer) else { continue };
        fields.insert((*name).to_owned(), shortened(value, longest));
    }
    if let Some(id) = document.pointer("/process/user/id").and_then(Value::as_str) {
        // A number there, a text here.
        let number = id.parse::<u32>().map_or_else(|_| Value::from(id), Value::from);
        fields.insert("user.uid".to_owned(), number);
    }
    let container = document.pointer("/container/id").and_then(Value::as_str);
    if document.get("process").is_some() || container.is_some() {
        // Twelve digits, and `host` outside of containers, as Falco has it.
        let id = container.map_or(HOST, |id| id.get(..12).unwrap_or(id));
        fields.insert("container.id".to_owned(), id.into());
    }
    if let Some(id) = container {
        fields.insert("container.full_id".to_owned(), id.into());
    }
    if let Some(image) = document.pointer("/container/image/name").and_then(Value::as_str) {
        let (repository, tag) = repository(image);
        fields.insert("container.image.repository".to_owned(), cut(repository, longest).into());
        if let Some(tag) = tag {
            fields.insert("container.image.tag".to_owned(), cut(tag, longest).into());
        }
    }
    fields
}

/// A colon after the last slash begins the tag; one before it a port.
fn repository(image: &str) -> (&str, Option<&str>) {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let slash = image.rfind('/').map_or(0, |at| at + 1);
    match image.get(slash..).and_then(|name| name.find(':')) {
        Some(at) => (image.get(..slash + at).unwrap_or(image), image.get(slash + at + 1..)),
        None => (image, None),
    }
}

fn shortened(value: &Value, longest: usize) -> Value {
    match value {
        Value::String(text) => cut(text, longest).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::alert::Message;
    use crate::sink::text::escape::is_unsafe;
    use crate::sink::{encode, sample};

    fn rendered(message: &Message, room: usize) -> (String, Value) {
        let line = render(&encode::encode(message, &sample::origin()), room);
        let value = serde_json::from_str(&line).unwrap();
        (line, value)
    }

    /// What falcosidekick does with a payload before it believes it: `FalcoPayload.UnmarshalJSON`, `Check`, and the two
    /// fields it takes for texts. Its program is not here to be asked.
    fn falcosidekick_takes(value: &Value) {
        const WORDS: [&str; 9] = [
            "emergency",
            "alert",
            "critical",
            "error",
            "warning",
            "notice",
            "informational",
            "info",
            "debug",
        ];
        const NAMES: [&str; 9] =
            ["uuid", "output", "priority", "rule", "time", "output_fields", "source", "tags", "hostname"];
        let object = value.as_object().unwrap();
        assert!(object.keys().all(|key| NAMES.contains(&key.as_str())), "{value}");
        let text = |key: &str| value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"));
        assert!(WORDS.contains(&text("priority").to_lowercase().as_str()));
        assert!(!text("rule").is_empty() && !text("source").is_empty());
        assert!(text("time").parse::<Timestamp>().unwrap() > Timestamp::UNIX_EPOCH);
        let fields = value["output_fields"].as_object().unwrap();
        assert!(!fields.is_empty() && fields.values().all(|field| !field.is_object() && !field.is_array()));
        for key in ["k8s.ns.name", "k8s.pod.name"] {
            assert!(fields.get(key).is_none_or(Value::is_string), "{key}");
        }
        assert!(value["tags"].as_array().unwrap().iter().all(Value::is_string));
        // `[0-9:]+\.[0-9]+: PRIORITY .*`, without regard to case.
        let (clock, rest) = text("output").split_once(": ").unwrap();
        let (time_of_day, fraction) = clock.split_once('.').unwrap();
        assert!(time_of_day.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'), "{clock}");
        assert!(fraction.bytes().all(|byte| byte.is_ascii_digit()), "{clock}");
        assert_eq!(rest.split(' ').next(), Some(text("priority")));
    }

    #[test]
    fn every_kind_of_message_is_one_that_falcosidekick_takes() {
        for message in [
            sample::message(),
            sample::loss(),
            sample::coverage(),
            sample::heartbeat(),
            sample::tampering(),
            sample::stopped(),
            Message::Alert(Box::new(sample::hostile())),
            Message::Alert(Box::new(sample::in_pod())),
        ] {
            let (line, value) = rendered(&message, usize::MAX);
            falcosidekick_takes(&value);
            assert!(!line.chars().any(is_unsafe), "{line}");
        }
    }

    #[test]
    fn an_alert_in_falcos_words() {
        let (_, value) = rendered(&sample::message(), usize::MAX);
        assert_eq!(value["uuid"], "01932b9e-4c11-7abc-8def-0123456789ab");
        assert_eq!(value["priority"], "Error");
        assert_eq!(value["time"], "2026-11-21T12:03:14.281042000Z");
        assert!(value["output"].as_str().unwrap().starts_with("12:03:14.281042000: Error "), "{value}");
        assert_eq!((&value["source"], &value["hostname"]), (&"syscall".into(), &"node-1".into()));
        let fields = &value["output_fields"];
        assert_eq!(fields["container.id"], "8f3a2c91d0b4");
        assert_eq!(
            (&fields["container.name"], &fields["container.image.tag"]),
            (&"web-1".into(), &"1.25".into())
        );
        assert_eq!(fields["container.image.repository"], "nginx");
        assert_eq!(
            (&fields["evt.time"], &fields["event.sequence"]),
            (&1_795_262_594_281_042_000_i64.into(), &7.into())
        );
        let tags = value["tags"].as_array().unwrap();
        assert!(tags.contains(&"T1105".into()) && tags.contains(&"container".into()), "{tags:?}");
        assert!(tags.contains(&"mitre_command_and_control".into()), "{tags:?}");
    }

    #[test]
    fn long_texts_are_cut_to_the_room() {
        let mut envelope = encode::encode(&sample::message(), &sample::origin());
        let mut document: Value = serde_json::from_str(&envelope.document).unwrap();
        document["process"]["command_line"] = "é\"".repeat(9000).into();
        envelope.document = document.to_string();
        let (whole, line) = (render(&envelope, usize::MAX), render(&envelope, 4096));
        assert!(whole.len() > 4096 && line.len() <= 4096, "{} and {}", whole.len(), line.len());
        falcosidekick_takes(&serde_json::from_str(&line).unwrap());
    }

    #[test]
    fn images_are_taken_apart() {
        for (image, repository_of, tag) in [
            ("nginx", "nginx", None),
            ("nginx:1.25", "nginx", Some("1.25")),
            ("localhost:5000/a/b", "localhost:5000/a/b", None),
            ("localhost:5000/a/b:x", "localhost:5000/a/b", Some("x")),
            ("a/b@sha256:00", "a/b", None),
            ("a/b:x@sha256:00", "a/b", Some("x")),
        ] {
            assert_eq!(repository(image), (repository_of, tag), "{image}");
        }
    }
}
