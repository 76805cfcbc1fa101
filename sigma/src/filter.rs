//! Filters: what a site does not want to be told of rules it has (filters specification 2.1).

use serde::Serialize;
use uuid::Uuid;

use super::diagnostic::Span;
use super::document::{Body, Entries, Reader};
use super::expression::Expression;
use super::log_source::LogSource;
use super::record::LogSourceId;
use super::rule::RuleIndex;
use super::yaml::Node;

/// All of a filter but its detection.
#[derive(Clone, Debug, Serialize)]
pub struct Filter {
    pub title: String,
    pub id: Option<Uuid>,
    pub description: Option<String>,
    pub log_source: LogSource,
    /// The rules it is put before, in order of loading.
    #[serde(skip)]
    pub rules: Vec<RuleIndex>,
    /// Name of the document that the filter came from.
    pub source: String,
    /// Line of its first key there, from 1.
    pub line: usize,
}

/// A filter that was read, and whose rules are still names.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) log_source: LogSourceId,
    /// Ids or names of its rules, with their places; `None`: any rule of its log source.
    pub(super) rules: Option<Vec<(String, Span)>>,
    pub(super) expression: Expression,
}

impl Reader<'_> {
    /// A document with the key `filter`; `None` if any of it was refused.
    pub(super) fn filter_document(&mut self, node: &Node, keys: Entries<'_>) -> Option<Body> {
        let _ = keys;
        self.refuse(node.span, "filters are not supported yet", None)
    }
}
