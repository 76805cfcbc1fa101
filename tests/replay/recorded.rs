//! Events as they stand in `events/*.jsonl`: flat objects of Sigma field names, one a line.
//!
//! A field's value is a string, a number, a boolean, or a list of these where the field has several
//! values. `logsource` names the category. A field that the sensor does not have is refused: such a
//! recording could never have been made.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail, ensure};
use sensor_user::event::field::Fields;
use serde_json::{Map, Value as Json};
use sigma::{FieldId, Lifetime, LogSource, LogSourceId, Owner, Presence, Record, Taxonomy, Value};

/// One recorded event.
pub(crate) struct Recorded {
    log_source: LogSourceId,
    fields: Vec<(FieldId, Vec<Json>)>,
    /// The line it was read from, for messages.
    pub(crate) line: String,
}

impl Recorded {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let mut object: Map<String, Json> = serde_json::from_str(line)?;
        let category = object.remove("logsource").context("the event has no `logsource`")?;
        let category = category.as_str().context("`logsource` is no string")?.to_owned();
        Self::new(&category, object).with_context(|| line.to_owned())
    }

    /// The start of a program, as far as a command line tells it.
    pub(crate) fn process_creation(images: &[String], arguments: &[String]) -> Result<Self> {
        let fields = [
            ("Image".to_owned(), images.into()),
            ("Arguments".to_owned(), arguments.into()),
            ("CommandLine".to_owned(), arguments.join(" ").into()),
        ];
        Self::new("process_creation", Map::from_iter(fields))
    }

    fn new(category: &str, object: Map<String, Json>) -> Result<Self> {
        let source = LogSource {
            category: Some(category.to_owned()),
            product: Some("linux".to_owned()),
            ..LogSource::default()
        };
        let log_source = Fields.supports(&source).with_context(|| format!("no such log source: {source}"))?;
        let line = Json::Object(object.clone()).to_string();
        let fields = object.into_iter().map(|(name, value)| {
            let field = Fields.field(&name).with_context(|| format!("the sensor has no field `{name}`"))?;
            let values = if let Json::Array(values) = value { values } else { vec![value] };
            ensure!(!values.is_empty(), "`{name}` has no value; leave the field out");
            for value in &values {
                if !matches!(value, Json::String(_) | Json::Bool(_)) && value.as_i64().is_none() {
                    bail!("`{name}` holds {value}, which is neither text, a whole number nor a boolean");
                }
            }
            Ok((field, values))
        });
        Ok(Self { log_source, fields: fields.collect::<Result<_>>()?, line })
    }
}

impl Record for Recorded {
    fn log_source(&self) -> LogSourceId {
        self.log_source
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        let Some((_, values)) = self.fields.iter().find(|(known, _)| *known == field) else {
            return Presence::Absent;
        };
        let is_address = Fields.field("DestinationIp") == Some(field);
        for value in values {
            match value {
                Json::String(text) => match text.parse::<IpAddr>() {
                    Ok(address) if is_address => each(Value::Ip(address)),
                    Ok(_) | Err(_) => each(Value::Text(text)),
                },
                Json::Bool(fact) => each(Value::Bool(*fact)),
                Json::Number(_) | Json::Null | Json::Array(_) | Json::Object(_) => {
                    each(Value::Number(value.as_i64().expect("checked when it was read")));
                }
            }
        }
        Presence::Present
    }
}

#[test]
fn an_event_with_a_field_that_the_sensor_lacks_is_refused() {
    let told = |line| Recorded::parse(line).err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(told(r#"{"Image":"/bin/x"}"#).contains("no `logsource`"));
    assert!(
        told(r#"{"logsource":"process_creation","OriginalFileName":"x"}"#)
            .contains("no field `OriginalFileName`")
    );
    assert!(told(r#"{"logsource":"registry_event","Image":"x"}"#).contains("no such log source"));
    assert!(told(r#"{"logsource":"process_creation","UserId":0.5}"#).contains("neither text"));
}
