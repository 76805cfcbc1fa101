//! A rule document: its keys, checked to the last one, and the rule they make.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use uuid::Uuid;

use super::correlation;
use super::diagnostic::{Diagnostic, Source, Span};
use super::expression::Expression;
use super::filter::{self, Filter};
use super::level::Level;
use super::log_source::LogSource;
use super::placeholder::Placeholders;
use super::predicate::TestTable;
use super::record::{LogSourceId, Taxonomy};
use super::rule::{Related, Relation, Rule, Status};
use super::suggestion::{did_you_mean, distance};
use super::yaml::{Data, Node, Scalar, ScalarKind};

/// Keys of the specification. Any other key is kept as the author's own, unless it is one letter
/// away from one of these.
const KNOWN: [&str; 20] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "simulation",
];
/// The `type`s of `related`.
/// The public rules also write "obsoletes".
const RELATIONS: [(&str, Relation); 6] = [
    ("derived", Relation::Derived),
    ("obsolete", Relation::Obsolete),
    ("obsoletes", Relation::Obsolete),
    ("merged", Relation::Merged),
    ("renamed", Relation::Renamed),
    ("similar", Relation::Similar),
];

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
}

/// The entries of a document by key.
#[derive(Clone, Copy)]
pub(super) struct Entries<'n>(pub(super) &'n [(Scalar, Node)]);

impl<'n> Entries<'n> {
    pub(super) fn get(self, key: &str) -> Option<&'n Node> {
        self.0.iter().find(|(found, _)| found.text == key).map(|(_, node)| node)
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
        let keys = Entries(entries);
        let id_span = keys.get("id").map(|node| node.span);
        if let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "action") {
            return self.refuse(key.span(), "rule collections (`action`) are not supported yet", None);
        }
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
        Some(Body::Rule(Box::new(rule), log_source, expression?))
    }

    /// What all rules have.
    fn metadata(&mut self, node: &Node, keys: Entries<'_>) -> Rule {
        let title = self.required(node, keys, "title").and_then(|title| self.text(title, "title"));
        self.taxonomy_key(keys);
        Rule {
            title: title.unwrap_or_default(),
            id: self.id(keys),
            name: self.optional_text(keys, "name"),
            status: self.status(keys),
            level: self.level(keys),
            description: self.optional_text(keys, "description"),
            author: self.optional_text(keys, "author"),
            date: self.optional_text(keys, "date"),
            modified: self.optional_text(keys, "modified"),
            license: self.optional_text(keys, "license"),
            references: self.texts(keys, "references"),
            tags: self.tags(keys),
            false_positives: self.texts(keys, "falsepositives"),
            fields: self.texts(keys, "fields"),
            related: self.related(keys),
            log_source: LogSource::default(),
            correlation: None,
            reports: true,
            fingerprint: fingerprint(node),
            custom: self.custom(keys.0),
            source: self.source.name.to_string(),
            line: self.line(node),
        }
    }

    /// The line of the document's first key, from 1.
    pub(super) fn line(&self, node: &Node) -> usize {
        Diagnostic::new(self.source, node.span, "").line
    }

    fn custom(&mut self, entries: &[(Scalar, Node)]) -> BTreeMap<String, serde_json::Value> {
        let mut custom = BTreeMap::new();
        for (key, node) in entries.iter().filter(|(key, _)| !KNOWN.contains(&key.text.as_str())) {
            match KNOWN.into_iter().find(|known| distance(known, &key.text.to_lowercase()) <= 1) {
                Some(meant) => self.note(
                    key.span(),
                    format!("`{}` is no key of a rule", key.text),
                    Some(format!("did you mean `{meant}`?")),
                ),
                None => {
                    custom.insert(key.text.clone(), json(node));
                }
            }
        }
        custom
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
                items.iter().filter_map(|item| self.text(item, key)).collect()
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

    fn status(&mut self, keys: Entries<'_>) -> Option<Status> {
        let node = keys.get("status")?;
        match self.text(node, "status")?.as_str() {
            "stable" => Some(Status::Stable),
            "test" => Some(Status::Test),
            "experimental" => Some(Status::Experimental),
            "deprecated" => Some(Status::Deprecated),
            "unsupported" => Some(Status::Unsupported),
            other => {
                let help = Some("write stable, test, experimental, deprecated or unsupported".to_owned());
                self.refuse(node.span, format!("`{other}` is no status"), help)
            }
        }
    }

    fn level(&mut self, keys: Entries<'_>) -> Level {
        let Some(node) = keys.get("level") else { return Level::UNSTATED };
        let Some(text) = self.text(node, "level") else { return Level::UNSTATED };
        text.parse().unwrap_or_else(|_| {
            let help = did_you_mean(&text, Level::ALL.map(Level::name))
                .unwrap_or_else(|| "write informational, low, medium, high or critical".to_owned());
            self.note(node.span, format!("`{text}` is no level"), Some(help));
            Level::UNSTATED
        })
    }

    fn tags(&mut self, keys: Entries<'_>) -> Vec<String> {
        let tags = self.texts(keys, "tags");
        let Some(Node { data: Data::Sequence(items), .. }) = keys.get("tags") else { return tags };
        for item in items {
            let Data::Scalar(tag) = &item.data else { continue };
            if !is_tag(&tag.text) {
                let help = "tags are `namespace.name` in lower-case letters, digits, `-` and `_`".to_owned();
                self.note(item.span, format!("`{}` is no tag", tag.text), Some(help));
            }
        }
        tags
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
                    let help = did_you_mean(other, ["category", "product", "service", "definition"]);
                    self.note(key.span(), format!("`{other}` is no key of a log source"), help);
                    sound = false;
                    continue;
                }
            };
            *place = self.text(value, &key.text);
            sound &= place.is_some();
        }
        sound.then_some(named)
    }

    fn related(&mut self, keys: Entries<'_>) -> Vec<Related> {
        let Some(node) = keys.get("related") else { return Vec::new() };
        let Data::Sequence(items) = &node.data else {
            self.note(node.span, "`related` must be a list of maps with `id` and `type`", None);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.relation(item)).collect()
    }

    fn relation(&mut self, item: &Node) -> Option<Related> {
        let Data::Mapping(entries) = &item.data else {
            return self.refuse(item.span, "a relation must be a map with `id` and `type`", None);
        };
        let entries = Entries(entries);
        let id = self.id(entries);
        let kind = entries.get("type");
        let Some(kind) = kind else { return self.refuse(item.span, "the relation has no `type`", None) };
        let text = self.text(kind, "type")?;
        let Some((_, relation)) = RELATIONS.into_iter().find(|(name, _)| *name == text) else {
            let help = did_you_mean(&text, RELATIONS.map(|(name, _)| name));
            return self.refuse(kind.span, format!("`{text}` is no type of relation"), help);
        };
        Some(Related { id: id?, relation })
    }

    pub(super) fn taxonomy_key(&mut self, keys: Entries<'_>) {
        let Some(node) = keys.get("taxonomy") else { return };
        if let Some(text) = self.text(node, "taxonomy").filter(|text| text != "sigma") {
            let help = Some("use the field names of Sigma's own taxonomy and remove this key".to_owned());
            self.note(node.span, format!("the taxonomy `{text}` is not known"), help);
        }
    }
}

/// `namespace.name`, the name itself may have dots (rules specification, "Tags").
fn is_tag(tag: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    tag.contains('.') && tag.split('.').all(part)
}

/// A custom value as JSON; numbers stay the text they were spelled as.
fn json(node: &Node) -> serde_json::Value {
    match &node.data {
        Data::Null => serde_json::Value::Null,
        Data::Scalar(Scalar { kind: ScalarKind::Bool(flag), .. }) => (*flag).into(),
        Data::Scalar(scalar) => scalar.text.as_str().into(),
        Data::Sequence(items) => items.iter().map(json).collect(),
        Data::Mapping(entries) => entries.iter().map(|(key, node)| (key.text.clone(), json(node))).collect(),
    }
}

/// The same for two documents that say the same, whatever their comments and layout.
fn fingerprint(node: &Node) -> u64 {
    let mut hasher = FxHasher::default();
    json(node).to_string().hash(&mut hasher);
    hasher.finish()
}
