//! A rule as people know it: who wrote it, what it means, how serious it is.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::correlation::Correlation;
use super::level::Level;
use super::log_source::LogSource;

/// A rule's place in its [`RuleSet`](super::RuleSet), in order of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// A filter's place in its [`RuleSet`](super::RuleSet), in order of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterIndex(pub u32);

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

/// Another rule that this one stands beside or takes the place of (rules specification, "Identification").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    pub id: Uuid,
    #[serde(rename = "type")]
    pub relation: Relation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    Derived,
    Obsolete,
    Merged,
    Renamed,
    Similar,
}

/// All of a rule but its detection, which the engine keeps in its own form. A correlation is a rule, too.
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
    /// Where the rule is meant to run, in the author's words (rules specification, "Scope").
    pub scope: Vec<String>,
    pub related: Vec<Related>,
    /// Empty of a correlation.
    pub log_source: LogSource,
    /// What it joins, where it is a correlation.
    pub correlation: Option<Correlation>,
    /// Whether its matches are told by themselves. Not those of a rule that only correlations use
    /// (correlation specification, "Generate").
    pub reports: bool,
    /// Two rules with the same are written the same, with the same values for their placeholders.
    #[serde(skip)]
    pub fingerprint: u64,
    /// Keys the specification does not know, kept as they were written.
    pub custom: BTreeMap<String, serde_json::Value>,
    /// Name of the document that the rule came from.
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
