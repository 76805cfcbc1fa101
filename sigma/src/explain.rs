//! Why a rule is true of a record, or is not: its detection item by item, value by value.
//!
//! For people who write rules, not for the path of every record: the document is read again and each part of
//! it asked by itself. What a part means is the [`Reader`]'s to say and what it is of a record [`Test::ask`]'s,
//! the same as for the engine, so the two cannot disagree about a rule that loads.
//!
//! [`Test::ask`]: super::predicate::Test::ask

mod clause;
mod question;

use serde::Serialize;

use super::collection;
use super::diagnostic::{Diagnostic, Source};
use super::document::{Body, Entries, Reader};
use super::filter::Filter;
use super::placeholder::Placeholders;
use super::predicate::TestTable;
use super::record::{LogSourceId, Presence, Record, Taxonomy, Truth};
use super::rule::{Rule, RuleIndex};
use super::rule_set::RuleSet;
use super::yaml::{Data, Node};

use question::{Asking, every};

/// The key of a filter's map that is no search identifier.
const FILTERED: &str = "rules";

/// A rule beside a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Whether the rule looks at records of this log source at all; if not, it is false of them.
    pub log_source: bool,
    /// Of the rule by itself, filters left aside.
    pub truth: Truth,
    pub detection: Detected,
    /// The filters before the rule, in order of loading.
    pub filters: Vec<Filtered>,
}

impl Explanation {
    /// The filter that keeps a match back, as the engine names it: the first that is true.
    #[must_use]
    pub fn suppressed(&self) -> Option<&Filtered> {
        self.filters.iter().find(|filter| self.truth.is_true() && filter.detection.truth.is_true())
    }

    /// Of the rule with its filters.
    #[must_use]
    pub fn verdict(&self) -> Truth {
        let kept = self.filters.iter().map(|filter| filter.detection.truth.negated());
        every(std::iter::once(self.truth).chain(kept))
    }
}

/// A filter beside a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filtered {
    pub title: String,
    /// The document and the line of its first key there.
    pub source: String,
    pub line: usize,
    pub detection: Detected,
}

/// A map of search identifiers with its condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detected {
    pub truth: Truth,
    /// More than one are linked by "or".
    pub conditions: Vec<Clause>,
    /// In the order of the document.
    pub searches: Vec<Search>,
}

/// A condition as it is written, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    pub text: String,
    pub truth: Truth,
    /// What its outermost `and` or `or` joins; empty where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Clause>,
}

/// A search identifier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    pub name: String,
    pub line: usize,
    pub truth: Truth,
    pub asks: Part,
}

/// What a search identifier asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A map: all must hold.
    All(Truth, Vec<Part>),
    /// A list: one must hold.
    Any(Truth, Vec<Part>),
    Item(Item),
}

impl Part {
    #[must_use]
    pub fn truth(&self) -> Truth {
        match self {
            Self::All(truth, _) | Self::Any(truth, _) => *truth,
            Self::Item(item) => item.truth,
        }
    }
}

/// `Field|modifiers: values`, or keywords.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// As it is written; empty of keywords.
    pub key: String,
    pub line: usize,
    pub truth: Truth,
    /// Whether all of the values must hold (`all`), and not one of them.
    pub all: bool,
    pub values: Vec<Asked>,
    /// What the record has there.
    pub found: Found,
}

/// One value of an item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// As it is written; `null` is nothing in a document, too.
    pub value: Option<String>,
    /// Of this value alone, `neq` regarded.
    pub truth: Truth,
    /// What the record has in the field that the value names (`fieldref`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Found>,
}

/// A field of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    pub presence: Option<Presence>,
    pub values: Vec<serde_json::Value>,
}

/// What explaining needs: a rule set and what it was loaded from.
#[derive(Clone, Copy)]
pub struct Explainer<'a> {
    pub set: &'a RuleSet,
    pub sources: &'a [Source],
    pub taxonomy: &'a dyn Taxonomy,
    pub placeholders: &'a Placeholders,
}

impl std::fmt::Debug for Explainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explainer").field("rules", &self.set.rules().len()).finish_non_exhaustive()
    }
}

impl Explainer<'_> {
    /// A rule beside a record. `None`: there is no such rule in the set and its sources, or it is a correlation,
    /// which is true of several records together.
    #[must_use]
    pub fn explain(&self, index: RuleIndex, record: &impl Record) -> Option<Explanation> {
        let rule = self.set.rule(index)?;
        let (log_source, detection) = self.rule(rule, record)?;
        let applies = log_source == record.log_source();
        let filters = self.set.filters().iter().filter(|filter| filter.rules.contains(&index));
        let filters: Vec<_> = filters.filter_map(|filter| self.filter(filter, record)).collect();
        let truth = if applies { detection.truth } else { Truth::False };
        Some(Explanation { log_source: applies, truth, detection, filters })
    }

    fn rule(&self, rule: &Rule, record: &impl Record) -> Option<(LogSourceId, Detected)> {
        self.find(&rule.source, |reader, node, body| match body {
            Body::Rule(read, log_source, _) => {
                if read.line != rule.line || read.fingerprint != rule.fingerprint {
                    return None;
                }
                let Data::Mapping(entries) = &node.data else { return None };
                let detection = Entries(entries).get("detection")?;
                Some((log_source, Asking::new(reader, record).detection(detection, None)?))
            }
            Body::Correlation(..) | Body::Filter(..) => None,
        })
    }

    fn filter(&self, filter: &Filter, record: &impl Record) -> Option<Filtered> {
        let detection = self.find(&filter.source, |reader, node, body| match body {
            Body::Filter(read, _) => {
                if read.line != filter.line || read.title != filter.title {
                    return None;
                }
                let Data::Mapping(entries) = &node.data else { return None };
                let detection = Entries(entries).get("filter")?;
                Asking::new(reader, record).detection(detection, Some(FILTERED))
            }
            Body::Rule(..) | Body::Correlation(..) => None,
        })?;
        let Filter { title, source, line, .. } = filter.clone();
        Some(Filtered { title, source, line, detection })
    }

    /// Reads the documents of a source again, until `read` finds what it looks for in one.
    fn find<T>(&self, source: &str, read: impl Fn(&mut Reader<'_>, &Node, Body) -> Option<T>) -> Option<T> {
        let mut tests = TestTable::default();
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for source in self.sources.iter().filter(|known| *known.name == *source) {
            let documents = collection::documents(source, &mut diagnostics)?;
            let mut reader =
                Reader::new(source, self.taxonomy, self.placeholders, &mut tests, &mut diagnostics);
            for node in documents {
                let found =
                    reader.document(&node).and_then(|document| read(&mut reader, &node, document.body));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}
