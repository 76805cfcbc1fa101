//! Looks into a kept document by dotted names.

use serde_json::Value;

/// A document, or a part of one.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a Value);

impl<'a> View<'a> {
    /// `process.parent.pid`; none: there is no such value.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        name.split('.').try_fold(self.0, |value, part| value.get(part))
    }

    /// A text that is not empty.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn number(self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    /// The texts of a list.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.list(name).filter_map(|view| view.0.as_str())
    }

    /// What a list holds; nothing where there is none.
    pub(super) fn list(self, name: &str) -> impl Iterator<Item = Self> {
        self.get(name).and_then(Value::as_array).into_iter().flatten().map(Self)
    }

    /// Milliseconds since 1970, of a time as documents have it.
    pub(super) fn milliseconds(self, name: &str) -> Option<i64> {
        Some(self.text(name)?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    }

    /// It is about something that happened on the host, not about the sensor.
    pub(super) fn is_alert(self) -> bool {
        matches!(self.text("kind"), Some("alert" | "amendment"))
    }
}

/// Last component of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}
