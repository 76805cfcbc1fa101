//! The border to the host program: what it tells the engine about its fields and its records.

use std::net::IpAddr;

use super::log_source::LogSource;

/// A field of the host's table. The number is the host's own; the engine only compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// Calls `each` with every value of `field`. A field with several values matches when any
    /// of them does. May be called more than once for one field; the answer must not change.
    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence;
}

/// Three-valued logic (Kleene): a test on a field that is not known yet is neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
