//! A rule document: its keys, checked to the last one, and the rule they make.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::correlation;
use super::diagnostic::{Diagnostic, Source, Span};
use super::expression::Expression;
use super::filter::{self, Filter};
use super::log_source::LogSource;
use super::metadata::{fingerprint, json};
use super::placeholder::Placeholders;
use super::predicate::TestTable;
use super::record::{FieldId, LogSourceId, Taxonomy};
use super::rule::Rule;
use super::suggestion::nearest;
use super::yaml::{Data, Node, Scalar};

/// Keys of a log source.
const LOG_SOURCE: [&str; 4] = ["category", "product", "service", "definition"];

/// A document, understood; names of other rules are still names.
#[derive(Debug)]
pub(super) struct Understood {
    pub(super) id_span: Option<Span>,
    pub(super) body: Body,
}

/// The kinds of document.
#[derive(Debug)]
pub(super) enum Body {
    /// A rule, and what it asks of which records.
    Rule(Box<Rule>, LogSourceId, Expression),
    Correlation(Box<Rule>, correlation::Draft),
    Filter(Box<Filter>, filter::Draft),
}

/// Reads the documents of one source and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) taxonomy: &'a dyn Taxonomy,
    pub(super) placeholders: &'a Placeholders,
    pub(super) tests: &'a mut TestTable,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
    /// Questions the document at hand asks so far.
    pub(super) questions: usize,
    /// The taxonomy of the document at hand, where it is not Sigma's own.
    pub(super) foreign: Option<String>,
    /// Names of the placeholders that the document at hand uses.
    pub(super) expanded: BTreeSet<String>,
    /// A place in the source, and the number of lines before it: places are asked for in order, and counting
    /// each from the start would take the square of the documents' number.
    counted: (usize, usize),
}

/// The entries of a document by key.
#[derive(Clone, Copy)]
pub(super) struct Entries<'n>(pub(super) &'n [(Scalar, Node)]);

impl<'n> Entries<'n> {
    pub(super) fn get(self, key: &str) -> Option<&'n Node> {
        self.0.iter().find(|(found, _)| found.text == key).map(|(_, node)| node)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a Source,
        taxonomy: &'a dyn Taxonomy,
        placeholders: &'a Placeholders,
        tests: &'a mut TestTable,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let (questions, foreign, expanded, counted) = (0, None, BTreeSet::new(), (0, 0));
        Self { source, taxonomy, placeholders, tests, diagnostics, questions, foreign, expanded, counted }
    }
}

impl Reader<'_> {
    /// Notes a mistake.
    pub(super) fn note(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let diagnostic = Diagnostic::new(self.source, span, message);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    /// Notes a mistake where nothing can be had instead.
    pub(super) fn refuse<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        self.note(span, message, help);
        None
    }

    /// One document; `None` if any of it was refused.
    pub(super) fn document(&mut self, node: &Node) -> Option<Understood> {
        let Data::Mapping(entries) = &node.data else {
            let help = Some("a rule is a map with title, logsource and detection".to_owned());
            return self.refuse(
                node.span,
                format!("a rule must be a map, this is {}", node.kind_name()),
                help,
            );
        };
        let noted = self.diagnostics.len();
        self.questions = 0;
        self.expanded.clear();
        let keys = Entries(entries);
        let id_span = keys.get("id").map(|node| node.span);
        self.taxonomy_key(keys);
        let body = if keys.get("correlation").is_some() {
            let rule = Box::new(self.metadata(node, keys));
            self.correlation_document(rule, keys)
        } else if keys.get("filter").is_some() {
            self.filter_document(node, keys)
        } else {
            self.rule_document(node, keys)
        };
        body.filter(|_| self.diagnostics.len() == noted).map(|body| Understood { id_span, body })
    }

    fn rule_document(&mut self, node: &Node, keys: Entries<'_>) -> Option<Body> {
        let mut rule = self.metadata(node, keys);
        let log_source = self.required(node, keys, "logsource").and_then(|node| self.log_source(node));
        let expression = self.required(node, keys, "detection").and_then(|node| self.detection(node, &[]));
        let (named, log_source) = log_source?;
        rule.log_source = named;
        if let Some(Data::Mapping(entries)) = keys.get("logsource").map(|node| &node.data) {
            // "An arbitrary number of optional elements" that nothing evaluates (rules specification, "LogSource").
            let own = entries.iter().filter(|(key, _)| !LOG_SOURCE.contains(&key.text.as_str()));
            rule.custom.extend(own.map(|(key, node)| (format!("logsource.{}", key.text), json(node))));
        }
        rule.fingerprint = fingerprint(node, self.placeholders, &self.expanded);
        Some(Body::Rule(Box::new(rule), log_source, expression?))
    }

    /// The field of this name in the taxonomy of the document at hand.
    pub(super) fn field_id(&self, name: &str) -> Option<FieldId> {
        match &self.foreign {
            Some(taxonomy) => self.taxonomy.field_of(taxonomy, name),
            None => self.taxonomy.field(name),
        }
    }

    /// The line of the document's first key, from 1.
    pub(super) fn line(&mut self, node: &Node) -> usize {
        let offset = self.source.text.floor_char_boundary(node.span.offset);
        if offset < self.counted.0 {
            self.counted = (0, 0);
        }
        let (from, before) = self.counted;
        let between = self.source.text.get(from..offset).unwrap_or_default();
        self.counted = (offset, before + between.matches('\n').count());
        self.counted.1 + 1
    }

    pub(super) fn required<'n>(&mut self, rule: &Node, keys: Entries<'n>, key: &str) -> Option<&'n Node> {
        match keys.get(key) {
            Some(node) => Some(node),
            None => self.refuse(rule.span, format!("the rule has no `{key}`"), None),
        }
    }

    pub(super) fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.data {
            Data::Scalar(scalar) if !scalar.text.trim().is_empty() => Some(scalar.text.trim_end().to_owned()),
            Data::Scalar(_) | Data::Null => self.refuse(node.span, format!("`{key}` is empty"), None),
            Data::Sequence(_) | Data::Mapping(_) => {
                self.refuse(node.span, format!("`{key}` must be a text, this is {}", node.kind_name()), None)
            }
        }
    }

    pub(super) fn optional_text(&mut self, keys: Entries<'_>, key: &str) -> Option<String> {
        keys.get(key).and_then(|node| self.text(node, key))
    }

    /// A list of texts; one text alone is a list of one, an empty value is no list.
    pub(super) fn texts(&mut self, keys: Entries<'_>, key: &str) -> Vec<String> {
        match keys.get(key).map(|node| (node, &node.data)) {
            None | Some((_, Data::Null)) => Vec::new(),
            Some((_, Data::Sequence(items))) => {
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    let Some(text) = self.text(item, key) else { continue };
                    // The schema of the specification wants each entry once.
                    if texts.contains(&text) {
                        let help = Some("remove one of the two".to_owned());
                        self.note(item.span, format!("`{key}` says this twice"), help);
                    }
                    texts.push(text);
                }
                texts
            }
            Some((node, Data::Scalar(_) | Data::Mapping(_))) => self.text(node, key).into_iter().collect(),
        }
    }

    pub(super) fn id(&mut self, keys: Entries<'_>) -> Option<Uuid> {
        let node = keys.get("id")?;
        let text = self.text(node, "id")?;
        match Uuid::try_parse(&text) {
            Ok(id) => Some(id),
            Err(_) => {
                self.refuse(node.span, format!("`{text}` is no UUID"), Some("run `uuidgen` for one".into()))
            }
        }
    }

    pub(super) fn log_source(&mut self, node: &Node) -> Option<(LogSource, LogSourceId)> {
        let named = self.log_source_parts(node)?;
        match self.taxonomy.supports(&named) {
            Some(id) => Some((named, id)),
            None => self.refuse(node.span, format!("no records come from the log source `{named}`"), None),
        }
    }

    /// The log source as it is written, whether the host has it or not.
    pub(super) fn log_source_parts(&mut self, node: &Node) -> Option<LogSource> {
        let Data::Mapping(entries) = &node.data else {
            return self.refuse(
                node.span,
                format!("`logsource` must be a map, this is {}", node.kind_name()),
                None,
            );
        };
        let mut named = LogSource::default();
        let mut sound = true;
        for (key, value) in entries {
            let place = match key.text.as_str() {
                "category" => &mut named.category,
                "product" => &mut named.product,
                "service" => &mut named.service,
                "definition" => &mut named.definition,
                other => {
                    if let Some(meant) = nearest(other, LOG_SOURCE) {
                        let help = Some(format!("did you mean `{meant}`?"));
                        self.note(key.span(), format!("`{other}` is no key of a log source"), help);
                        sound = false;
                    }
                    continue;
                }
            };
            *place = self.text(value, &key.text);
            sound &= place.is_some();
        }
        sound.then_some(named)
    }
}
