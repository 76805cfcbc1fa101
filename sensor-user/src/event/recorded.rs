//! An event as JSON: how events are recorded beside rules, and given to rules at the command line.
//!
//! One flat object of Sigma field names. A field's value is a string, a whole number, a boolean, or a list of
//! these where the field has several values. `logsource` names the category; `time` (seconds from any point) or
//! `@timestamp` (RFC 3339, the field `UtcTime` as well) says when, which correlations ask. A field that the sensor does not have is
//! refused: such a recording could never have been made.
//!
//! What the command line means is read from it, where a recording does not say.
//!
//! A line of `tidewaiter events --format json` is read as well, by the ECS names of the same table. It says less:
//! of a program's several names those of the parent and of ancestors are lost but the first.

mod derived;

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use sigma::{FieldId, Lifetime, LogSource, LogSourceId, Owner, Presence, Record, Taxonomy, Value};

use super::field::{Category, Field, Fields, TABLE, date};

/// Keys of a recording that are no fields.
const LOG_SOURCE: &str = "logsource";
const TIME: &str = "time";
const TIMESTAMP: &str = "@timestamp";

/// One recorded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    log_source: LogSourceId,
    /// Nanoseconds; none where the recording does not say.
    time: Option<u64>,
    fields: Vec<Fact>,
}

/// A field that the event has or may have.
#[derive(Clone, Debug, PartialEq)]
struct Fact {
    field: FieldId,
    presence: Presence,
    values: Vec<Datum>,
}

#[derive(Clone, Debug, PartialEq)]
enum Datum {
    Text(String),
    Number(i64),
    Ip(IpAddr),
    Bool(bool),
}

/// Why something is no recorded event.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("this is no JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the event has no `{LOG_SOURCE}`; add one, such as \"{LOG_SOURCE}\": \"process_creation\"")]
    NoLogSource,
    #[error("`{LOG_SOURCE}` holds {0}, which is no category; write one of {all}", all = categories())]
    LogSource(Json),
    #[error("the sensor has no field `{0}`; docs/field.md names all it has")]
    Field(String),
    #[error("`{0}` has no value; leave the field out")]
    Empty(String),
    #[error("`{name}` holds {value}, which is neither text, a whole number nor a boolean")]
    Value { name: String, value: Json },
    #[error("`{key}` holds {value}; write {remedy}")]
    Time { key: &'static str, value: Json, remedy: &'static str },
    #[error(
        "this is no event but another document of the sensor ({0}); `tidewaiter events --format json` makes events"
    )]
    Kind(Json),
}

fn categories() -> String {
    Category::ALL.map(Category::name).join(", ")
}

impl Recorded {
    /// Reads one object, flat or as the sensor writes events.
    ///
    /// # Errors
    /// When it could not have been recorded: no log source, a field that does not exist, a value that no field has.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::read(serde_json::from_str(text)?)
    }

    /// Reads an object that was taken from a longer text.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn read(object: Map<String, Json>) -> Result<Self, Malformed> {
        match object.get("kind") {
            Some(kind) if kind == "event" => Self::document(&object),
            Some(kind) => Err(Malformed::Kind(kind.clone())),
            None => Self::flat(object),
        }
    }

    /// The event as if it had happened then, nanoseconds, where it does not say when.
    #[must_use]
    pub fn timed(mut self, time: u64) -> Self {
        self.time.get_or_insert(time);
        self
    }

    fn flat(mut object: Map<String, Json>) -> Result<Self, Malformed> {
        let log_source = log_source(&object.remove(LOG_SOURCE).ok_or(Malformed::NoLogSource)?)?;
        let date = object.remove(TIMESTAMP).as_ref().map(dated).transpose()?;
        let time = match object.remove(TIME) {
            Some(seconds) => Some(since_start(seconds)?),
            None => date.map(since_epoch),
        };
        let fields = object.into_iter().map(|(name, value)| {
            let field = Fields.field(&name).ok_or_else(|| Malformed::Field(name.clone()))?;
            fact(field, &name, value)
        });
        let mut fields = fields.collect::<Result<Vec<_>, _>>()?;
        fields.extend(date.map(utc_time));
        derived::extend(&mut fields);
        Ok(Self { log_source, time, fields })
    }

    /// A document of `tidewaiter events`.
    fn document(object: &Map<String, Json>) -> Result<Self, Malformed> {
        let at = |path: &str| {
            let (first, rest) =
                path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
            let node = object.get(first)?;
            rest.map_or(Some(node), |rest| node.pointer(&format!("/{}", rest.replace('.', "/"))))
        };
        let category = at("tidewaiter.category").ok_or(Malformed::NoLogSource)?;
        let log_source = log_source(category)?;
        let pending: Vec<&Json> =
            at("tidewaiter.pending").and_then(Json::as_array).into_iter().flatten().collect();
        let date = at(TIMESTAMP).map(dated).transpose()?;
        let mut fields: Vec<Fact> = date.map(utc_time).into_iter().collect();
        for (field, _, name, _) in TABLE {
            if *field == Field::UtcTime || !speaks_of(category, *field) {
                continue;
            }
            // The executable's other names stand elsewhere.
            let images = (*field == Field::Image).then(|| at("tidewaiter.images")).flatten();
            let value = images.or_else(|| at(name)).cloned();
            let id = FieldId(*field as u16);
            let mut read = match value {
                Some(value) => fact(id, name, value)?,
                None => Fact { field: id, presence: Presence::Absent, values: Vec::new() },
            };
            if pending.iter().any(|pending| *pending == name) {
                read.presence = Presence::Pending;
            }
            if read.presence != Presence::Absent {
                fields.push(read);
            }
        }
        derived::extend(&mut fields);
        Ok(Self { log_source, time: date.map(since_epoch), fields })
    }
}

/// In documents `event.action` is a word of every event; rules know it of some.
fn speaks_of(category: &Json, field: Field) -> bool {
    let is = |known: Category| *category == known.name();
    let of_file = is(Category::FileEvent) || is(Category::FileAccess);
    if field == Field::ContainerAction {
        is(Category::ContainerEvent)
    } else if field == Field::FileAction {
        of_file
    } else if field == Field::EventAction {
        of_file || is(Category::ProcessAccess) || is(Category::SystemChange)
    } else {
        true
    }
}

fn log_source(category: &Json) -> Result<LogSourceId, Malformed> {
    let source = LogSource {
        category: category.as_str().map(str::to_owned),
        product: Some("linux".to_owned()),
        ..LogSource::default()
    };
    Fields.supports(&source).ok_or_else(|| Malformed::LogSource(category.clone()))
}

fn fact(field: FieldId, name: &str, value: Json) -> Result<Fact, Malformed> {
    let values = if let Json::Array(values) = value { values } else { vec![value] };
    if values.is_empty() {
        return Err(Malformed::Empty(name.to_owned()));
    }
    let datum = |value: Json| match value {
        Json::String(text) => match text.parse() {
            Ok(address) if holds_addresses(field) => Ok(Datum::Ip(address)),
            Ok(_) | Err(_) => Ok(Datum::Text(text)),
        },
        Json::Bool(fact) => Ok(Datum::Bool(fact)),
        Json::Number(_) | Json::Null | Json::Array(_) | Json::Object(_) => match value.as_i64() {
            Some(number) => Ok(Datum::Number(number)),
            None => Err(Malformed::Value { name: name.to_owned(), value }),
        },
    };
    let values = values.into_iter().map(datum).collect::<Result<_, _>>()?;
    Ok(Fact { field, presence: Presence::Present, values })
}

fn holds_addresses(field: FieldId) -> bool {
    [Field::DestinationIp, Field::QueryResults].iter().any(|known| FieldId(*known as u16) == field)
}

/// Seconds as nanoseconds.
fn since_start(seconds: Json) -> Result<u64, Malformed> {
    let known = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    known.and_then(|time| u64::try_from(time.as_nanos()).ok()).ok_or(Malformed::Time {
        key: TIME,
        value: seconds,
        remedy: "seconds, not negative",
    })
}

fn dated(value: &Json) -> Result<Timestamp, Malformed> {
    value.as_str().and_then(|date| date.parse().ok()).ok_or_else(|| Malformed::Time {
        key: TIMESTAMP,
        value: value.clone(),
        remedy: "a date like 2026-11-21T12:03:14.281Z",
    })
}

/// A date as nanoseconds; one before 1970 is as early as any.
fn since_epoch(date: Timestamp) -> u64 {
    u64::try_from(date.as_nanosecond()).unwrap_or_default()
}

/// The date as rules read it.
fn utc_time(date: Timestamp) -> Fact {
    let mut values = Vec::new();
    let presence = date::visit(date, &mut |value| {
        if let Value::Text(text) = value {
            values.push(Datum::Text(text.to_owned()));
        }
    });
    Fact { field: FieldId(Field::UtcTime as u16), presence, values }
}

impl Record for Recorded {
    fn log_source(&self) -> LogSourceId {
        self.log_source
    }

    fn time(&self) -> u64 {
        self.time.unwrap_or_default()
    }

    /// Recordings do not tell one process from another of the same id.
    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        let mut visit = |fact: &Fact| {
            for value in &fact.values {
                each(match value {
                    Datum::Text(text) => Value::Text(text),
                    Datum::Number(number) => Value::Number(*number),
                    Datum::Ip(address) => Value::Ip(*address),
                    Datum::Bool(fact) => Value::Bool(*fact),
                });
            }
        };
        if field == FieldId::MESSAGE {
            // As of an event: the date says nothing of what was done.
            let spoken = self.fields.iter().filter(|fact| fact.field != FieldId(Field::UtcTime as u16));
            spoken.for_each(&mut visit);
            let is_open = self.fields.iter().any(|fact| fact.presence == Presence::Pending);
            return if is_open { Presence::Pending } else { Presence::Present };
        }
        match self.fields.iter().find(|fact| fact.field == field) {
            Some(fact) => {
                visit(fact);
                fact.presence
            }
            None => Presence::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::document::EventDocument;
    use crate::sink::{json, sample};

    #[test]
    fn what_could_never_have_been_recorded_is_refused() {
        for (line, told) in [
            (r#"["Image"]"#, "this is no JSON object"),
            (r#"{"Image":"/bin/x"}"#, "no `logsource`"),
            (r#"{"logsource":"process_creation","OriginalFileName":"x"}"#, "no field `OriginalFileName`"),
            (
                r#"{"logsource":"registry_event","Image":"x"}"#,
                "which is no category; write one of process_creation",
            ),
            (r#"{"logsource":"process_creation","UserId":0.5}"#, "neither text"),
            (r#"{"logsource":"process_creation","Image":[]}"#, "`Image` has no value"),
            (r#"{"logsource":"process_creation","Image":null}"#, "neither text"),
            (r#"{"logsource":"process_creation","time":-1}"#, "seconds, not negative"),
            (r#"{"logsource":"process_creation","@timestamp":"noon"}"#, "a date like"),
            (r#"{"kind":"alert"}"#, "no event but another document of the sensor (\"alert\")"),
        ] {
            let error = Recorded::parse(line).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn fuzzed_lines_are_events_or_refused() {
        let event = sample::event();
        let document = json::encode(&EventDocument::new(&event, event.date, 1, &sample::origin()));
        let flat = r#"{"logsource":"network_connection","time":1.5,"@timestamp":"1970-01-01T00:00:02Z",
            "DestinationIp":["10.0.0.2","::1"],"Image":"/bin/x","UserId":7,"Initiated":true}"#;
        let seeds = [document.into_bytes(), flat.as_bytes().to_vec()];
        crate::fuzz::run(&seeds, |bytes, _| match Recorded::parse(&crate::octet::text(bytes)) {
            Ok(read) => {
                for (field, ..) in TABLE {
                    let (presence, first) = told(&read, FieldId(*field as u16));
                    assert!(first.is_none() || presence == Presence::Present);
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        });
    }

    #[test]
    fn times_are_seconds_or_dates() {
        let time = |key| {
            Recorded::parse(&format!(r#"{{"logsource":"dns_query",{key}}}"#)).map(|it| it.time()).unwrap()
        };
        assert_eq!(time(r#""time":1.5"#), 1_500_000_000);
        assert_eq!(time(r#""@timestamp":"1970-01-01T00:00:02Z""#), 2_000_000_000);
        assert_eq!(time(r#""QueryName":"a""#), 0);
        let untimed = Recorded::parse(r#"{"logsource":"dns_query"}"#).unwrap();
        assert_eq!(untimed.timed(7).timed(9).time(), 7);
    }

    fn told(record: &impl Record, field: FieldId) -> (Presence, Option<String>) {
        let mut first = None;
        let presence = record.visit(field, &mut |value| {
            first.get_or_insert_with(|| match value {
                Value::Text(text) => text.to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Ip(address) => address.to_string(),
                Value::Bool(fact) => fact.to_string(),
            });
        });
        (presence, first)
    }

    /// Every field that a document tells has the same first value as in the event, and is as open.
    #[test]
    fn the_sensors_own_document_is_read_back() {
        let event = sample::event();
        let document = json::encode(&EventDocument::new(&event, event.date, 1, &sample::origin()));
        let read = Recorded::parse(&document).unwrap();
        assert_eq!(read.log_source(), event.log_source());
        for (field, name, ..) in TABLE {
            let field = FieldId(*field as u16);
            assert_eq!(told(&read, field), told(&event, field), "{name}");
        }
    }
}
