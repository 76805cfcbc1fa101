//! YAML with places and with scalars as they were spelled, so that `00000429` stays that text.
//!
//! Everything behind this file works on [`Node`]; no other file knows the YAML crate.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar as Resolved, YamlData};

use super::diagnostic::{Diagnostic, Source, Span};

/// Longest document, bytes. The longest public rule has 288 KiB; beyond this it is no rule file.
const SOURCE_MAX: usize = 1 << 20;
/// Deepest nesting of collections. Sigma needs five; the YAML crate frees its tree by recursion,
/// so a deeper document could exhaust the stack.
const NESTING_MAX: usize = 32;
/// Widest indentation, columns; with [`NESTING_MAX`] it bounds the depth of block collections.
const INDENT_MAX: usize = 256;

/// A YAML value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) data: Data,
}

/// The kinds of YAML value that Sigma knows.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Null,
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order of the document; keys are unique.
    Mapping(Vec<(Scalar, Node)>),
}

/// A plain value: its text as spelled in the document, unquoted.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: ScalarKind,
    span: Span,
    /// Where `text` stands byte for byte, if it does (no escapes, no folded lines).
    verbatim: Option<usize>,
}

/// What YAML takes a plain value for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Text,
    Bool(bool),
    Number,
}

impl Scalar {
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The place of a part of the text, or of the whole value where that cannot be told.
    pub(super) fn part(&self, offset: usize, len: usize) -> Span {
        match self.verbatim {
            Some(start) => Span { offset: start + offset, len },
            None => self.span,
        }
    }
}

impl Node {
    /// What kind of value this is, for messages.
    pub(super) fn kind_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Scalar(Scalar { kind: ScalarKind::Text, .. }) => "a text",
            Data::Scalar(Scalar { kind: ScalarKind::Bool(_), .. }) => "true or false",
            Data::Scalar(Scalar { kind: ScalarKind::Number, .. }) => "a number",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a map",
        }
    }
}

/// All documents of a source.
pub(super) fn documents(source: &Source) -> Result<Vec<Node>, Diagnostic> {
    check_bounds(source)?;
    let places = Places::new(&source.text);
    let marked = MarkedYaml::load_from_str(&source.text).map_err(|error| {
        let span = Span { offset: places.byte(error.marker().index()), len: 1 };
        Diagnostic::new(source, span, format!("this is not valid YAML: {}", error.info()))
    })?;
    let converter = Converter { source, places };
    marked.iter().map(|node| converter.node(node, 0)).collect()
}

/// Refuses what could exhaust memory or stack before the YAML crate sees it.
fn check_bounds(source: &Source) -> Result<(), Diagnostic> {
    if source.text.len() > SOURCE_MAX {
        let message = format!("the document has {} bytes, at most {SOURCE_MAX} are read", source.text.len());
        return Err(Diagnostic::new(source, Span::default(), message));
    }
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t', '-', '?', ':']);
        let lead = line.strip_suffix(content).unwrap_or(line);
        let indicators = lead
            .bytes()
            .zip(lead.bytes().skip(1))
            .filter(|(byte, next)| matches!(byte, b'-' | b'?' | b':') && matches!(next, b' ' | b'\t'));
        if indicators.count() > NESTING_MAX || lead.len() > INDENT_MAX {
            let message = format!("this is nested deeper than {NESTING_MAX} levels or {INDENT_MAX} columns");
            return Err(Diagnostic::new(source, Span { offset, len: lead.len() }, message));
        }
        offset += line.len();
    }
    Ok(())
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

struct Converter<'a> {
    source: &'a Source,
    places: Places,
}

impl Converter<'_> {
    fn span(&self, node: &MarkedYaml<'_>) -> Span {
        let offset = self.places.byte(node.span.start.index());
        let rest = self.source.text.get(offset..).unwrap_or_default();
        // The YAML crate ends a flow collection before its closing bracket.
        let bracket = usize::from(rest.starts_with(['[', '{']));
        let len = self.places.byte(node.span.end.index()).saturating_sub(offset) + bracket;
        // A block collection ends where the next thing starts: show its first line only.
        let first_line = rest.get(..len).unwrap_or(rest).lines().next().unwrap_or_default();
        Span { offset, len: first_line.trim_end().len() }
    }

    fn node(&self, node: &MarkedYaml<'_>, depth: usize) -> Result<Node, Diagnostic> {
        let span = self.span(node);
        let refuse = |message: &str| Err(Diagnostic::new(self.source, span, message));
        if depth > NESTING_MAX {
            return refuse(&format!("this is nested deeper than {NESTING_MAX} levels"));
        }
        let data = match &node.data {
            YamlData::Value(Resolved::Null) => Data::Null,
            YamlData::Value(value) => Data::Scalar(self.scalar(value, span)?),
            YamlData::Sequence(items) => {
                Data::Sequence(items.iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(entries) => {
                let entry = |(key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)| {
                    Ok((self.key(key)?, self.node(value, depth + 1)?))
                };
                Data::Mapping(entries.iter().map(entry).collect::<Result<_, _>>()?)
            }
            YamlData::Tagged(tag, _) => return refuse(&format!("Sigma knows no YAML tag `{tag}`")),
            YamlData::BadValue
                if self.source.text.get(span.offset..).is_none_or(|rest| rest.trim().is_empty()) =>
            {
                Data::Null
            }
            YamlData::BadValue | YamlData::Representation(..) | YamlData::Alias(_) => {
                return refuse("this value contradicts its YAML tag or names no anchor");
            }
        };
        Ok(Node { span, data })
    }

    fn key(&self, node: &MarkedYaml<'_>) -> Result<Scalar, Diagnostic> {
        let span = self.span(node);
        match &node.data {
            YamlData::Value(Resolved::Null) | YamlData::Sequence(_) | YamlData::Mapping(_) => {
                Err(Diagnostic::new(self.source, span, "a key must be a text"))
            }
            YamlData::Value(value) => self.scalar(value, span),
            YamlData::Tagged(..) | YamlData::BadValue | YamlData::Representation(..) | YamlData::Alias(_) => {
                Err(Diagnostic::new(self.source, span, "a key must be a plain text"))
            }
        }
    }

    /// The value with its own spelling: YAML's idea of a number drops leading zeros and signs.
    fn scalar(&self, value: &Resolved<'_>, span: Span) -> Result<Scalar, Diagnostic> {
        let spelled = self.source.text.get(span.offset..span.offset + span.len).unwrap_or_default();
        let (text, kind) = match value {
            Resolved::String(text) => (text.to_string(), ScalarKind::Text),
            _ if spelled.starts_with('*') => {
                let diagnostic =
                    Diagnostic::new(self.source, span, "an alias of a number loses its spelling");
                return Err(diagnostic.with_help("write the number itself, or quote it at its anchor"));
            }
            Resolved::Boolean(value) => (spelled.to_owned(), ScalarKind::Bool(*value)),
            Resolved::Integer(_) | Resolved::FloatingPoint(_) => (spelled.to_owned(), ScalarKind::Number),
            Resolved::Null => (String::new(), ScalarKind::Text),
        };
        let verbatim = [span.offset, span.offset + 1]
            .into_iter()
            .find(|&at| self.source.text.get(at..).is_some_and(|rest| rest.starts_with(&text)));
        Ok(Scalar { text, kind, span, verbatim })
    }
}

#[cfg(test)]
mod tests {
    use super::{Data, Node, ScalarKind, documents};
    use crate::Source;

    fn only(text: &str) -> Node {
        documents(&Source::new("t", text)).unwrap().remove(0)
    }

    fn entries(text: &str) -> Vec<(String, String, ScalarKind)> {
        let Data::Mapping(entries) = only(text).data else { panic!("no map") };
        let scalar = |(key, node): (super::Scalar, Node)| match node.data {
            Data::Scalar(scalar) => (key.text, scalar.text, scalar.kind),
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => panic!("no scalar"),
        };
        entries.into_iter().map(scalar).collect()
    }

    #[test]
    fn scalars_keep_their_spelling() {
        let found = entries("a: 00000429\nb: 1.50\nc: Yes\nd: True\ne: '0x1'\nf: 0x1F\ng: !!str 12\n");
        let texts: Vec<_> = found.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(texts, ["00000429", "1.50", "Yes", "True", "0x1", "0x1F", "12"]);
        assert_eq!(found[1].2, ScalarKind::Number);
        assert_eq!(found[3].2, ScalarKind::Bool(true));
        assert_eq!(found[4].2, ScalarKind::Text);
    }

    #[test]
    fn places_are_bytes_also_behind_other_letters_and_line_ends() {
        let text = "ä: ö\r\nfield: 'välue'\r\n";
        let Data::Mapping(entries) = only(text).data else { panic!("no map") };
        let (key, value) = &entries[1];
        assert_eq!(&text[key.span().offset..key.span().offset + key.span().len], "field");
        let Data::Scalar(value) = &value.data else { panic!("no scalar") };
        let part = value.part(3, 3);
        assert_eq!(&text[part.offset..part.offset + part.len], "lue");
    }

    #[test]
    fn several_documents_and_aliases_are_read() {
        let source = Source::new("t", "---\na: &x [1, 2]\nb: *x\n---\nc: 3\n");
        assert_eq!(documents(&source).unwrap().len(), 2);
    }

    #[test]
    fn hostile_nesting_is_refused_before_it_costs_a_stack() {
        for text in ["- ".repeat(100_000), "[".repeat(100_000), "? ".repeat(100_000)] {
            assert!(documents(&Source::new("t", text)).is_err());
        }
        let stairs: String = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(documents(&Source::new("t", stairs)).is_err());
        assert!(documents(&Source::new("t", "a".repeat(super::SOURCE_MAX + 1))).is_err());
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a: 'x\n", 1), ("a: !!int x\n", 1), ("b: !other x\n", 1)] {
            let Err(diagnostic) = documents(&Source::new("t", text)) else {
                continue;
            };
            assert!(diagnostic.line >= line, "{diagnostic}");
        }
        let twice = documents(&Source::new("t", "a: 1\na: 2\n")).unwrap_err();
        assert_eq!((twice.line, twice.column), (2, 1), "{twice}");
    }
}
