//! Makes nodes of what the YAML crate reads, event by event, so that each bound is checked before what it
//! bounds is there. The crate's own tree is copied for each alias, and a text of some hundred bytes can make it
//! grow beyond any memory.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};
use saphyr::{Scalar as Resolved, ScalarStyle, ScanError, Tag};
use saphyr_parser::{Event, Parser, Span as Marked};

use super::{Data, Node, Scalar, ScalarKind};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Longest document, bytes. The longest public rule has 288 KiB; beyond this it is no rule file.
pub(super) const SOURCE_MAX: usize = 1 << 20;
/// Deepest nesting of collections. Sigma needs five; a tree is freed by recursion, so that a deeper document
/// could exhaust the stack.
const NESTING_MAX: usize = 32;
/// Most values of a source. The largest public rule has some 5,000; a rule asks at most 50,000 questions.
pub(crate) const NODES_MAX: usize = 100_000;
/// Most values that anchors and aliases may copy. A list that some search identifiers share has some hundred.
const COPIES_MAX: usize = 10_000;

/// All documents of a source.
pub(crate) fn documents(source: &Source) -> Result<Vec<Node>, Diagnostic> {
    if source.text.len() > SOURCE_MAX {
        let message = format!("the document has {} bytes, at most {SOURCE_MAX} are read", source.text.len());
        return Err(Diagnostic::new(source, Span::default(), message));
    }
    let mut builder = Builder {
        source,
        places: Places::new(&source.text),
        documents: Vec::new(),
        root: None,
        open: Vec::new(),
        anchors: FxHashMap::default(),
        nodes: 0,
        copies: 0,
    };
    let mut parser = Parser::new_from_iter(source.text.chars());
    while let Some(event) = parser.next_event() {
        let (event, at) = event.map_err(|error| builder.invalid(&error))?;
        builder.event(event, at)?;
    }
    Ok(builder.documents)
}

/// Turns the YAML crate's character indexes into byte offsets.
struct Places {
    /// Byte offset of every character; empty if the text is ASCII and both are the same.
    offsets: Vec<usize>,
    len: usize,
}

impl Places {
    fn new(text: &str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(offset, _)| offset).collect()
        };
        Self { offsets, len: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        if self.offsets.is_empty() {
            index.min(self.len)
        } else {
            self.offsets.get(index).copied().unwrap_or(self.len)
        }
    }
}

/// A collection whose end has not come.
struct Open {
    start: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Scalar, Node)>,
        taken: FxHashSet<String>,
        /// Whose value comes next.
        key: Option<Scalar>,
    },
}

/// Makes nodes of the parser's events.
struct Builder<'a> {
    source: &'a Source,
    places: Places,
    documents: Vec<Node>,
    root: Option<Node>,
    open: Vec<Open>,
    /// By the parser's number: what an alias stands for.
    anchors: FxHashMap<usize, Node>,
    nodes: usize,
    copies: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, at: Marked) -> Result<(), Diagnostic> {
        let (start, end) = (self.places.byte(at.start.index()), self.places.byte(at.end.index()));
        let span = self.span(start, end);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.documents.push(self.root.take().unwrap_or(Node { span, data: Data::Null }));
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(text, style, tag.as_ref(), span)?;
                self.put(node, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.alias(anchor, span)?;
                self.put(node, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Open { start, anchor, items: Items::Sequence(Vec::new()) }, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                let items = Items::Mapping { entries: Vec::new(), taken: FxHashSet::default(), key: None };
                self.begin(Open { start, anchor, items }, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { start, anchor, items }) = self.open.pop() else { return Ok(()) };
                let data = match items {
                    Items::Sequence(items) => Data::Sequence(items),
                    Items::Mapping { entries, .. } => Data::Mapping(entries),
                };
                self.put(Node { span: self.span(start, end), data }, anchor)
            }
        }
    }

    /// The first line of a place: a block collection ends where the next thing starts.
    fn span(&self, start: usize, end: usize) -> Span {
        let text = self.source.text.get(start..end).unwrap_or_default();
        let first_line = text.lines().next().unwrap_or_default();
        Span { offset: start, len: first_line.trim_end().len() }
    }

    fn invalid(&self, error: &ScanError) -> Diagnostic {
        let span = Span { offset: self.places.byte(error.marker().index()), len: 1 };
        Diagnostic::new(self.source, span, format!("this is not valid YAML: {}", error.info()))
    }

    fn refuse<T>(&self, span: Span, message: impl Into<String>) -> Result<T, Diagnostic> {
        Err(Diagnostic::new(self.source, span, message))
    }

    fn begin(&mut self, open: Open, tag: Option<&Tag>, span: Span) -> Result<(), Diagnostic> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return self.refuse(span, format!("Sigma knows no YAML tag `{tag}`"));
        }
        if let Some(Open { items: Items::Mapping { key: None, .. }, .. }) = self.open.last() {
            return self.refuse(span, "a key must be a text");
        }
        if self.open.len() >= NESTING_MAX {
            return self.refuse(span, format!("this is nested deeper than {NESTING_MAX} levels"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return self
                .refuse(node.span, format!("with this the document has more than {NODES_MAX} values"));
        }
        if anchor > 0 {
            let copy = self.copy(&node, node.span)?;
            self.anchors.insert(anchor, copy);
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { entries, taken, key } => match (key.take(), node) {
                (Some(key), node) => entries.push((key, node)),
                (None, Node { data: Data::Scalar(scalar), span }) => {
                    if !taken.insert(scalar.text.clone()) {
                        return self.refuse(span, format!("the key `{}` stands here twice", scalar.text));
                    }
                    *key = Some(scalar);
                }
                (None, node) => return self.refuse(node.span, "a key must be a text"),
            },
        }
        Ok(())
    }

    /// What an alias stands for, in the alias's place.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Diagnostic> {
        let Some(node) = self.anchors.remove(&anchor) else {
            return self.refuse(span, "this names an anchor that is not finished yet");
        };
        let copy = self.copy(&node, span);
        self.anchors.insert(anchor, node);
        let mut copy = copy?;
        copy.span = span;
        if let Data::Scalar(scalar) = &mut copy.data {
            scalar.span = span;
            scalar.verbatim = None;
        }
        Ok(copy)
    }

    fn copy(&mut self, node: &Node, at: Span) -> Result<Node, Diagnostic> {
        let (count, depth) = node.size();
        self.copies += count;
        self.nodes += count;
        if self.copies > COPIES_MAX {
            return self.refuse(at, format!("anchors and aliases copy more than {COPIES_MAX} values"));
        }
        if self.open.len() + depth > NESTING_MAX {
            return self.refuse(at, format!("this is nested deeper than {NESTING_MAX} levels"));
        }
        Ok(node.clone())
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        span: Span,
    ) -> Result<Node, Diagnostic> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return self.refuse(span, format!("Sigma knows no YAML tag `{tag}`"));
        }
        // The value keeps its own spelling: YAML's idea of a number drops leading zeros and signs.
        let kind = match Resolved::parse_from_cow_and_metadata(Cow::Borrowed(&text), style, tag) {
            Some(Resolved::Null) => return Ok(Node { span, data: Data::Null }),
            Some(Resolved::Boolean(value)) => ScalarKind::Bool(value),
            Some(Resolved::Integer(_) | Resolved::FloatingPoint(_)) => ScalarKind::Number,
            Some(Resolved::String(_)) => ScalarKind::Text,
            None => return self.refuse(span, "this value contradicts its YAML tag"),
        };
        let verbatim = [span.offset, span.offset + 1]
            .into_iter()
            .find(|&at| self.source.text.get(at..).is_some_and(|rest| rest.starts_with(&*text)));
        let text = text.into_owned();
        Ok(Node { span, data: Data::Scalar(Scalar { text, kind, span, verbatim }) })
    }
}
