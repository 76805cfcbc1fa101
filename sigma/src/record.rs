//! The border to the host program: what it tells the engine about its fields and its records.

use std::net::IpAddr;

use serde::Serialize;

use super::log_source::LogSource;

/// A field of the host's table. The number is the host's own; the engine only compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

impl FieldId {
    /// No field of the table, but every value of a record: what a keyword searches (rules
    /// specification, "Keywords search").
    pub const MESSAGE: Self = Self(u16::MAX);
}

/// A kind of records, for example those of `linux/process_creation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogSourceId(pub u16);

/// What the host program tells the engine about its fields and its records. Asked at load only.
pub trait Taxonomy {
    /// The field of this exact name.
    fn field(&self, name: &str) -> Option<FieldId>;

    /// All field names, for "did you mean".
    fn field_names(&self) -> Vec<&'static str>;

    /// The records a rule of this log source is to see; `None` if the host has none such.
    fn supports(&self, log_source: &LogSource) -> Option<LogSourceId>;

    /// What a value of this field belongs to: with it, state that is kept under the value ends.
    fn lifetime(&self, field: FieldId) -> Lifetime {
        let _ = field;
        Lifetime::Lasting
    }

    /// The field of this exact name in another taxonomy than Sigma's own (rules specification,
    /// "Taxonomy"). `None`: the host knows no such taxonomy, or no such field in it.
    fn field_of(&self, taxonomy: &str, name: &str) -> Option<FieldId> {
        let _ = (taxonomy, name);
        None
    }

    /// The taxonomies that [`field_of`](Self::field_of) knows.
    fn taxonomies(&self) -> &[&'static str] {
        &[]
    }
}

/// What a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifetime {
    /// Means the same for ever: an address, a user's name.
    Lasting,
    /// Means something while its container is there.
    Container,
    /// Means something while its process is there: a process id.
    Process,
}

/// One container or process of the host's, never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    pub lifetime: Lifetime,
    /// The host's own number for it.
    pub number: u64,
}

/// One value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Number(i64),
    /// Compared as an address, so every spelling of it in a rule matches.
    Ip(IpAddr),
    Bool(bool),
}

/// Whether a record has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// The record has the field; its values, if any, were all visited.
    Present,
    /// The record has no such field, and never will.
    Absent,
    /// Not known yet, or only in part: what was visited counts, the rest is unknown.
    Pending,
}

/// What rules see of an event.
pub trait Record {
    fn log_source(&self) -> LogSourceId;

    /// When it happened: nanoseconds of a clock that only goes forward.
    fn time(&self) -> u64;

    /// Whose it is, of that lifetime; `None`: nobody's.
    fn owner(&self, lifetime: Lifetime) -> Option<Owner>;

    /// Calls `each` with every value of `field`. A field with several values matches when any
    /// of them does. May be called more than once for one field; the answer must not change.
    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence;
}

/// Three-valued logic (Kleene): a test on a field that is not known yet is neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// `Unknown` stays `Unknown`.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    #[must_use]
    pub fn is_true(self) -> bool {
        self == Self::True
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}
