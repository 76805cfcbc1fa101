//! From kept documents to log records.
//!
//! What all messages of one agent have in common is the resource, under the names of OpenTelemetry's semantic
//! conventions (`service.*`, `host.name`, `os.type`). Everything else is an attribute under its dotted ECS name, which for
//! containers is the name of those conventions as well. Lists of objects (steps, lineage) are lists of maps, as the data model
//! of logs has it (<https://opentelemetry.io/docs/specs/otel/logs/data-model/>).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Body;
use super::message::{
    AnyValue, AnyValueKind, ArrayValue, ExportLogsServiceRequest, InstrumentationScope, KeyValue,
    KeyValueList, LogRecord, Resource, ResourceLogs, ScopeLogs,
};
use crate::outbox::{Envelope, Rank};

/// Name of the service, and of the scope its messages come from.
const NAME: &str = "tidewaiter";

/// Where a fact of the resource stands in the document, and its name there.
const RESOURCE: [(&str, &str); 7] = [
    ("/agent/version", "service.version"),
    ("/agent/id", "service.instance.id"),
    ("/agent/ephemeral_id", "agent.ephemeral_id"),
    ("/host/hostname", "host.name"),
    ("/host/os/type", "os.type"),
    ("/host/os/kernel", "host.os.kernel"),
    ("/host/boot/id", "host.boot.id"),
];

/// Where what is told elsewhere stands at the top of the document.
const ELSEWHERE: [&str; 4] = ["@timestamp", "message", "host", "agent"];

/// What a record has beside a body that is the whole document: what receivers route and search by.
const ROUTING: [&str; 12] = [
    "kind",
    "event.id",
    "event.sequence",
    "event.kind",
    "event.severity",
    "rule.id",
    "rule.name",
    "rule.level",
    "threat.technique.id",
    "container.id",
    "container.name",
    "process.executable",
];

/// The request for some messages, in their order. Neighbours of one origin share a resource.
pub(super) fn request(batch: &[Arc<Envelope>], body: Body) -> ExportLogsServiceRequest {
    let mut resource_logs: Vec<ResourceLogs> = Vec::new();
    for envelope in batch {
        let document: Value = serde_json::from_str(&envelope.document).unwrap_or_default();
        let resource = resource(&document);
        let record = record(envelope, document, body);
        let same = resource_logs.last_mut().filter(|last| last.resource.as_ref() == Some(&resource));
        if let Some(scope) = same.and_then(|last| last.scope_logs.first_mut()) {
            scope.log_records.push(record);
            continue;
        }
        let scope = InstrumentationScope { name: NAME.to_owned(), version: version(&resource) };
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: vec![record] }];
        resource_logs.push(ResourceLogs { resource: Some(resource), scope_logs });
    }
    ExportLogsServiceRequest { resource_logs }
}

fn resource(document: &Value) -> Resource {
    let mut attributes = vec![attribute("service.name", text(NAME))];
    let known = RESOURCE.iter().filter_map(|(pointer, name)| {
        let value = document.pointer(pointer)?.as_str()?;
        Some(attribute(name, text(value)))
    });
    attributes.extend(known);
    Resource { attributes }
}

/// That of the agent that made the messages, which may not be this one.
fn version(resource: &Resource) -> String {
    let value = resource.attributes.iter().find(|one| one.key == "service.version");
    match value.and_then(|one| one.value.as_ref()?.value.as_ref()) {
        Some(AnyValueKind::Text(version)) => version.clone(),
        Some(
            AnyValueKind::Bool(_)
            | AnyValueKind::Int(_)
            | AnyValueKind::Double(_)
            | AnyValueKind::Array(_)
            | AnyValueKind::Map(_),
        )
        | None => String::new(),
    }
}

fn record(envelope: &Envelope, document: Value, body: Body) -> LogRecord {
    let word = |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (summary, event_name) = (word("/message").to_owned(), word("/event/dataset").to_owned());
    let (severity_number, severity) = severity(envelope.severity);
    let mut attributes = Vec::new();
    if let Value::Object(object) = document {
        let told = object.into_iter().filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()));
        told.for_each(|(key, value)| flatten(key, value, &mut attributes));
    }
    let body = match body {
        Body::Message => summary,
        Body::Document => {
            attributes.retain(|attribute| ROUTING.contains(&attribute.key.as_str()));
            envelope.document.clone()
        }
    };
    LogRecord {
        time_unix_nano: nanoseconds(envelope.time),
        observed_time_unix_nano: nanoseconds(observed(envelope)),
        severity_number,
        severity_text: level(envelope.rank).unwrap_or(severity).to_owned(),
        body: Some(text(&body)),
        attributes,
        event_name,
    }
}

/// When the message was made: its id tells (RFC 9562 section 5.7). An amendment has its alert's id.
fn observed(envelope: &Envelope) -> Timestamp {
    let made = envelope.id.get_timestamp().map(|made| made.to_unix());
    let made = made.and_then(|(seconds, nanos)| {
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    });
    made.map_or(envelope.time, |made| made.max(envelope.time))
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

/// `SeverityNumber` of a severity of syslog, and its word there, as the data model's appendix B maps them.
fn severity(code: u8) -> (i32, &'static str) {
    match code {
        0 => (21, "emerg"),
        1 => (19, "alert"),
        2 => (18, "crit"),
        3 => (17, "err"),
        4 => (13, "warning"),
        5 => (10, "notice"),
        6 => (9, "info"),
        _ => (5, "debug"),
    }
}

/// The level of an alert, in Sigma's words.
fn level(rank: Rank) -> Option<&'static str> {
    match rank {
        Rank::Informational => Some("informational"),
        Rank::Low => Some("low"),
        Rank::Medium => Some("medium"),
        Rank::High => Some("high"),
        Rank::Critical => Some("critical"),
        Rank::Report | Rank::Warning => None,
    }
}

/// Objects become dotted names; nothing else is taken apart.
fn flatten(key: String, value: Value, into: &mut Vec<KeyValue>) {
    match value {
        Value::Object(object) => {
            object.into_iter().for_each(|(name, value)| flatten(format!("{key}.{name}"), value, into));
        }
        Value::Null => {}
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            into.push(KeyValue { key, value: Some(any(other)) });
        }
    }
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(AnyValueKind::Bool(value)),
        Value::String(text) => Some(AnyValueKind::Text(text)),
        Value::Number(number) => Some(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => AnyValueKind::Int(number),
            // Beyond what the protocol's integers hold; a double would be another number.
            (None, Some(number), _) => AnyValueKind::Text(number.to_string()),
            (None, None, Some(number)) => AnyValueKind::Double(number),
            (None, None, None) => AnyValueKind::Text(number.to_string()),
        }),
        Value::Array(values) => {
            Some(AnyValueKind::Array(ArrayValue { values: values.into_iter().map(any).collect() }))
        }
        Value::Object(object) => Some(AnyValueKind::Map(map(object))),
    };
    AnyValue { value }
}

fn map(object: Map<String, Value>) -> KeyValueList {
    let values = object.into_iter().map(|(key, value)| KeyValue { key, value: Some(any(value)) });
    KeyValueList { values: values.collect() }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(AnyValueKind::Text(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::alert::Message;
    use crate::sink::{encode, sample};

    fn envelope(message: &Message) -> Arc<Envelope> {
        Arc::new(encode::encode(message, &sample::origin()))
    }

    fn value<'a>(record: &'a LogRecord, key: &str) -> &'a AnyValueKind {
        let found = record.attributes.iter().find(|one| one.key == key);
        let found = found.unwrap_or_else(|| panic!("{key} of {:?}", record.attributes));
        found.value.as_ref().unwrap().value.as_ref().unwrap()
    }

    #[test]
    fn an_alert_becomes_a_record_with_all_that_its_document_has() {
        let message = sample::message();
        let envelope = envelope(&message);
        let request = request(&[Arc::clone(&envelope)], Body::Message);
        let record = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "high"));
        assert_eq!(record.event_name, "tidewaiter.alert");
        assert_eq!(record.time_unix_nano, 1_795_262_594_281_042_000);
        assert!(record.observed_time_unix_nano >= record.time_unix_nano);
        assert_eq!(value(record, "event.sequence"), &AnyValueKind::Int(7));
        assert_eq!(value(record, "container.name"), &AnyValueKind::Text("web-1".to_owned()));
        assert!(matches!(value(record, "process.args"), AnyValueKind::Array(_)));
        let AnyValueKind::Array(steps) = value(record, "tidewaiter.steps") else { panic!("no list") };
        assert!(steps.values.iter().all(|step| matches!(step.value, Some(AnyValueKind::Map(_)))));
        let keys: BTreeSet<_> = record.attributes.iter().map(|one| &one.key).collect();
        assert_eq!(keys.len(), record.attributes.len(), "a key stands twice");
        let resource = request.resource_logs[0].resource.as_ref().unwrap();
        let names: Vec<_> = resource.attributes.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(
            names[..5],
            ["service.name", "service.version", "service.instance.id", "agent.ephemeral_id", "host.name"]
        );
    }

    #[test]
    fn a_body_can_be_the_whole_document() {
        let envelope = envelope(&sample::message());
        let request = request(&[Arc::clone(&envelope)], Body::Document);
        let record = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!(record.body, Some(text(&envelope.document)));
        assert!(record.attributes.len() <= ROUTING.len());
        assert_eq!(value(record, "event.sequence"), &AnyValueKind::Int(7));
    }

    #[test]
    fn neighbours_of_one_run_share_a_resource() {
        let mut other = sample::origin();
        other.run_id = uuid::Uuid::new_v4();
        let own = envelope(&sample::message());
        let others = Arc::new(encode::encode(&sample::message(), &other));
        let batch = [Arc::clone(&others), Arc::clone(&own), Arc::clone(&own), others];
        let counts: Vec<_> = request(&batch, Body::Message)
            .resource_logs
            .iter()
            .map(|logs| logs.scope_logs[0].log_records.len())
            .collect();
        assert_eq!(counts, [1, 2, 1]);
    }

    #[test]
    fn numbers_stay_what_they_are() {
        for (number, kind) in [
            (Value::from(-1), AnyValueKind::Int(-1)),
            (Value::from(u64::MAX), AnyValueKind::Text(u64::MAX.to_string())),
            (Value::from(0.5), AnyValueKind::Double(0.5)),
        ] {
            assert_eq!(any(number).value, Some(kind));
        }
    }

    #[test]
    fn notices_say_how_grave_they_are() {
        for (message, number, word) in [
            (sample::loss(), 13, "warning"),
            (sample::heartbeat(), 9, "info"),
            (sample::stopped(), 10, "notice"),
        ] {
            let request = request(&[envelope(&message)], Body::Message);
            let record = &request.resource_logs[0].scope_logs[0].log_records[0];
            assert_eq!((record.severity_number, record.severity_text.as_str()), (number, word));
        }
    }
}
