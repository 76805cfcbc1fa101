//! A rule as people know it: who wrote it, what it means, how serious it is.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::level::Level;
use super::log_source::LogSource;

/// A rule's place in its [`RuleSet`](super::RuleSet), in order of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// How finished a rule is (rules specification, "Status").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Stable,
    Test,
    Experimental,
    Deprecated,
    Unsupported,
}

/// All of a rule but its detection, which the engine keeps in its own form.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    pub title: String,
    pub id: Option<Uuid>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub level: Level,
    pub description: Option<String>,
    pub author: Option<String>,
    pub date: Option<String>,
    pub modified: Option<String>,
    pub license: Option<String>,
    pub references: Vec<String>,
    pub tags: Vec<String>,
    pub false_positives: Vec<String>,
    pub fields: Vec<String>,
    pub log_source: LogSource,
    /// Keys the specification does not know, kept as they were written.
    pub custom: BTreeMap<String, serde_json::Value>,
    /// Name of the document the rule came from.
    pub source: String,
    /// Line of the rule's first key in that document, from 1.
    pub line: usize,
}

impl Rule {
    /// The text of a custom key, if it is there and a plain value.
    #[must_use]
    pub fn custom_text(&self, key: &str) -> Option<&str> {
        self.custom.get(key).and_then(serde_json::Value::as_str)
    }
}
