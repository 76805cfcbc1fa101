//! A small host program: some fields, two log sources, records of them.

use std::net::IpAddr;

use sigma::{
    FieldId, Lifetime, LogSource, LogSourceId, Owner, Placeholders, Presence, Record, Taxonomy, Value,
};

/// Few, so that rules and records meet.
pub const FIELDS: [&str; 8] =
    ["Image", "CommandLine", "User", "ProcessId", "DestinationIp", "DestinationPort", "ContainerId", "Empty"];

pub const SOURCES: [&str; 2] = ["process_creation", "network_connection"];

/// Names of another taxonomy, for the same fields.
const OTHER: [(&str, u16); 2] = [("process.executable", 0), ("process.command_line", 1)];

pub struct Host;

impl Taxonomy for Host {
    fn field(&self, name: &str) -> Option<FieldId> {
        (0..).zip(FIELDS).find(|(_, known)| *known == name).map(|(id, _)| FieldId(id))
    }

    fn field_names(&self) -> Vec<&'static str> {
        FIELDS.to_vec()
    }

    fn supports(&self, log_source: &LogSource) -> Option<LogSourceId> {
        let category = log_source.category.as_deref()?;
        (0..).zip(SOURCES).find(|(_, known)| *known == category).map(|(id, _)| LogSourceId(id))
    }

    fn lifetime(&self, field: FieldId) -> Lifetime {
        match field.0 {
            3 => Lifetime::Process,
            6 => Lifetime::Container,
            _ => Lifetime::Lasting,
        }
    }

    fn field_of(&self, taxonomy: &str, name: &str) -> Option<FieldId> {
        let found = OTHER.iter().find(|(known, _)| taxonomy == "other" && *known == name);
        found.map(|(_, id)| FieldId(*id))
    }

    fn taxonomies(&self) -> &[&'static str] {
        &["other"]
    }
}

/// What stands for `%name%` and `%names%`.
pub fn placeholders() -> Placeholders {
    let values = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    [("name".to_owned(), values(&["a"])), ("names".to_owned(), values(&["ab", "*b?", "10.0.0.1"]))]
        .into_iter()
        .collect()
}

/// A value that a record owns.
#[derive(Clone, Debug)]
pub enum Owned {
    Text(String),
    Number(i64),
    Ip(IpAddr),
    Bool(bool),
}

/// What a record has of one field.
#[derive(Clone, Debug)]
pub struct Cell {
    pub field: FieldId,
    pub presence: Presence,
    pub values: Vec<Owned>,
}

#[derive(Clone, Debug, Default)]
pub struct Written {
    pub source: u16,
    pub time: u64,
    pub cells: Vec<Cell>,
}

impl Record for Written {
    fn log_source(&self) -> LogSourceId {
        LogSourceId(self.source)
    }

    fn time(&self) -> u64 {
        self.time
    }

    /// The number that the field of this lifetime has.
    fn owner(&self, lifetime: Lifetime) -> Option<Owner> {
        let cell = self.cells.iter().find(|cell| Host.lifetime(cell.field) == lifetime)?;
        match (lifetime, cell.values.first()) {
            (Lifetime::Process | Lifetime::Container, Some(Owned::Number(number))) => {
                Some(Owner { lifetime, number: number.unsigned_abs() })
            }
            _ => None,
        }
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        if field == FieldId::MESSAGE {
            let mut all = Presence::Present;
            for cell in &self.cells {
                if self.visit(cell.field, each) == Presence::Pending {
                    all = Presence::Pending;
                }
            }
            return all;
        }
        let Some(cell) = self.cells.iter().find(|cell| cell.field == field) else {
            return Presence::Absent;
        };
        for value in &cell.values {
            each(match value {
                Owned::Text(text) => Value::Text(text),
                Owned::Number(number) => Value::Number(*number),
                Owned::Ip(address) => Value::Ip(*address),
                Owned::Bool(flag) => Value::Bool(*flag),
            });
        }
        cell.presence
    }
}
