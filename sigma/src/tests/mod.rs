//! Tests of the engine as a whole, and the small host program they all use.
//!
//! A record is written as short texts: `Image=/bin/sh` a text, `DestinationPort=#22` a number,
//! `DestinationIp=@::1` an address, `Initiated=!true` a boolean, `User` a field without a value,
//! `User~` one not known yet, `User~=x` one of which only this much is known. A field named twice
//! has two values.

mod collection;
mod completion;
mod corpus;
mod cost;
mod dependence;
mod diagnostics;
mod filter;
mod explanation;
mod placeholder;
mod reference;
mod semantics;

use std::net::IpAddr;

use super::{
    Diagnostic, Engine, Explainer, Explanation, FieldId, Lifetime, LogSource, LogSourceId, Matches, Owner,
    Placeholders, Presence, Record, RuleIndex, RuleSet, Source, Taxonomy, Truth, Value,
};

/// Sysmon's names for what the public Linux endpoint rules ask.
const FIELDS: [&str; 25] = [
    "Image",
    "CommandLine",
    "ParentImage",
    "ParentCommandLine",
    "OriginalFileName",
    "CurrentDirectory",
    "User",
    "LogonId",
    "ProcessId",
    "ParentProcessId",
    "TargetFilename",
    "SourceFilename",
    "DestinationIp",
    "DestinationPort",
    "DestinationHostname",
    "SourceIp",
    "SourcePort",
    "Initiated",
    "Protocol",
    "Hashes",
    "Company",
    "Description",
    "Product",
    "IntegrityLevel",
    "UtcTime",
];

const SOURCES: [&str; 3] = ["process_creation", "network_connection", "file_event"];

pub(super) struct Sysmon;

impl Taxonomy for Sysmon {
    fn field(&self, name: &str) -> Option<FieldId> {
        (0..).zip(FIELDS).find(|(_, known)| *known == name).map(|(id, _)| FieldId(id))
    }

    fn field_names(&self) -> Vec<&'static str> {
        FIELDS.to_vec()
    }

    fn supports(&self, log_source: &LogSource) -> Option<LogSourceId> {
        if log_source.product.as_deref().is_some_and(|product| product != "linux")
            || log_source.service.is_some()
        {
            return None;
        }
        let category = log_source.category.as_deref()?;
        (0..).zip(SOURCES).find(|(_, known)| *known == category).map(|(id, _)| LogSourceId(id))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Owned {
    Text(String),
    Number(i64),
    Ip(IpAddr),
    Bool(bool),
}

#[derive(Clone, Debug, Default)]
pub(super) struct TestRecord {
    pub(super) time: u64,
    pub(super) source: u16,
    pub(super) fields: Vec<(FieldId, Presence, Vec<Owned>)>,
}

impl TestRecord {
    pub(super) fn parse<'a>(written: impl IntoIterator<Item = &'a str>) -> Self {
        let mut record = Self::default();
        for text in written {
            let (name, value) =
                text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            let (name, presence) =
                name.strip_suffix('~').map_or((name, Presence::Present), |name| (name, Presence::Pending));
            let field = Sysmon.field(name).unwrap_or_else(|| panic!("no field {name}"));
            let value = value.map(|value| match value.split_at_checked(1) {
                Some(("#", number)) => Owned::Number(number.parse().unwrap()),
                Some(("@", address)) => Owned::Ip(address.parse().unwrap()),
                Some(("!", flag)) => Owned::Bool(flag.parse().unwrap()),
                _ => Owned::Text(value.to_owned()),
            });
            match record.fields.iter_mut().find(|(known, ..)| *known == field) {
                Some((_, _, values)) => values.extend(value),
                None => record.fields.push((field, presence, value.into_iter().collect())),
            }
        }
        record
    }
}

impl Record for TestRecord {
    fn log_source(&self) -> LogSourceId {
        LogSourceId(self.source)
    }

    fn time(&self) -> u64 {
        self.time
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        if field == FieldId::MESSAGE {
            let presence = self.fields.iter().map(|(field, ..)| self.visit(*field, each));
            let open = presence.filter(|presence| *presence == Presence::Pending).count();
            return if open > 0 { Presence::Pending } else { Presence::Present };
        }
        let Some((_, presence, values)) = self.fields.iter().find(|(known, ..)| *known == field) else {
            return Presence::Absent;
        };
        for value in values {
            each(match value {
                Owned::Text(text) => Value::Text(text),
                Owned::Number(number) => Value::Number(*number),
                Owned::Ip(address) => Value::Ip(*address),
                Owned::Bool(flag) => Value::Bool(*flag),
            });
        }
        *presence
    }
}

/// A whole rule around a detection written without indentation.
pub(super) fn rule(detection: &str) -> String {
    let indented: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: Test\nlogsource:\n  category: process_creation\n  product: linux\ndetection:\n{indented}")
}

pub(super) fn load(text: &str) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::load([Source::new("test.yml", text)], &Sysmon, &Placeholders::default())
}

pub(super) fn engine(text: &str) -> Engine {
    Engine::new(load(text).unwrap_or_else(|refused| {
        let told: String = refused.iter().map(|diagnostic| diagnostic.render(false)).collect();
        panic!("{told}\n{text}")
    }))
}

/// What the only rule of `engine` makes of `record`.
pub(super) fn truth(engine: &mut Engine, record: &TestRecord) -> Truth {
    let mut found = Matches::default();
    engine.evaluate(record, &mut found);
    match (found.matched.len(), found.pending.len()) {
        (1, 0) => Truth::True,
        (0, 1) => Truth::Unknown,
        (0, 0) => Truth::False,
        other => panic!("one rule, {other:?} answers"),
    }
}

/// The first rule of `text` beside `record`.
pub(super) fn explain(set: &RuleSet, text: &str, record: &TestRecord) -> Explanation {
    let explainer = Explainer {
        set,
        sources: &[Source::new("test.yml", text)],
        taxonomy: &Sysmon,
        placeholders: &Placeholders::default(),
    };
    explainer.explain(RuleIndex(0), record).unwrap()
}
