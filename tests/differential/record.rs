//! A flat event as this project's engine sees records.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;
use sigma::{FieldId, Lifetime, LogSource, LogSourceId, Owner, Presence, Record, Taxonomy};

use crate::host::Event;

/// A host that has every field and every log source.
#[derive(Debug, Default)]
pub(crate) struct Everything(RefCell<BTreeMap<String, FieldId>>);

impl Taxonomy for Everything {
    fn field(&self, name: &str) -> Option<FieldId> {
        let mut known = self.0.borrow_mut();
        let next = FieldId(u16::try_from(known.len()).ok()?);
        Some(*known.entry(name.to_owned()).or_insert(next))
    }

    fn field_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn supports(&self, _: &LogSource) -> Option<LogSourceId> {
        Some(LogSourceId(0))
    }
}

/// An event whose field names were looked up.
#[derive(Debug)]
pub(crate) struct Flat<'a>(Vec<(FieldId, sigma::Value<'a>)>);

impl<'a> Flat<'a> {
    pub(crate) fn new(event: &'a Event, taxonomy: &Everything) -> Self {
        let field = |(name, value): (&String, &'a Value)| {
            let value = match value {
                Value::String(text) => sigma::Value::Text(text),
                Value::Number(number) => sigma::Value::Number(number.as_i64().expect("whole numbers only")),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    panic!("not flat: {value}")
                }
            };
            (taxonomy.field(name).expect("few fields"), value)
        };
        Self(event.iter().map(field).collect())
    }
}

impl Record for Flat<'_> {
    fn log_source(&self) -> LogSourceId {
        LogSourceId(0)
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(sigma::Value<'_>)) -> Presence {
        if field == FieldId::MESSAGE {
            self.0.iter().for_each(|(_, value)| each(*value));
            return Presence::Present;
        }
        match self.0.iter().find(|(found, _)| *found == field) {
            Some((_, value)) => {
                each(*value);
                Presence::Present
            }
            None => Presence::Absent,
        }
    }
}
