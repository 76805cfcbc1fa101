//! The `correlation` of a document: read with everything else of it, joined with its rules when all are read.

use super::Correlation;
use crate::document::Reader;
use crate::rule::Rule;
use crate::yaml::Node;

/// A correlation that was read, and whose rules are still names.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) correlation: Correlation,
    /// Ids or names of its rules, with their places.
    pub(crate) rules: Vec<(String, crate::diagnostic::Span)>,
    /// Whether its rules are told by themselves, too.
    pub(crate) generate: bool,
}

impl Reader<'_> {
    /// The value of `correlation`; `None` if any of it was refused.
    pub(crate) fn correlation(&mut self, node: &Node, rule: &Rule) -> Option<Draft> {
        let _ = rule;
        self.refuse(node.span, "correlation rules are not supported yet", None)
    }
}
