//! YAML with places and with scalars as they were spelled, so that `00000429` stays that text.
//!
//! Everything behind this file works on [`Node`]; no other file knows the YAML crates.

mod builder;

use super::diagnostic::Span;

pub(super) use builder::{NODES_MAX, documents};

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
    /// How many values this is, and how many collections stand in each other.
    fn size(&self) -> (usize, usize) {
        let inner = |values: &mut dyn Iterator<Item = &Self>| {
            let sum = |(count, depth): (usize, usize), (more, deeper)| (count + more, depth.max(deeper));
            let (count, depth) = values.map(Self::size).fold((1, 0), sum);
            (count, depth + 1)
        };
        match &self.data {
            Data::Null | Data::Scalar(_) => (1, 0),
            Data::Sequence(items) => inner(&mut items.iter()),
            Data::Mapping(entries) => inner(&mut entries.iter().map(|(_, node)| node)),
        }
    }

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
        assert!(documents(&Source::new("t", "a".repeat(super::builder::SOURCE_MAX + 1))).is_err());
    }

    #[test]
    fn aliases_do_not_grow_beyond_their_bound() {
        let bomb = |first: &str, next: fn(&str) -> String| {
            let mut text = format!("a: &a {first}\n");
            for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
                let aliases = vec![format!("*{before} "); 10].join(",");
                text += &format!("{name}: &{name} {}\n", next(&aliases));
            }
            documents(&Source::new("t", text)).unwrap_err().message
        };
        let values = bomb("[x, x, x, x, x, x, x, x, x, x]", |aliases| format!("[{aliases}]"));
        assert!(values.contains("copy more than"), "{values}");
        let keys = bomb("{? [x, x, x, x, x, x, x, x, x, x] : 1}", |aliases| format!("{{? [{aliases}] : 1}}"));
        assert!(keys.contains("a key must be a text"), "{keys}");
        let itself = documents(&Source::new("t", "a: &a [*a ]\n")).unwrap_err();
        assert!(itself.message.contains("not finished"), "{itself}");
    }

    #[test]
    fn an_alias_keeps_the_spelling_and_stands_in_its_own_place() {
        let text = "a: &x 007\nb: *x\n*x : c\n";
        let Data::Mapping(entries) = only(text).data else { panic!("no map") };
        let Data::Scalar(value) = &entries[1].1.data else { panic!("no scalar") };
        assert_eq!((value.text.as_str(), value.kind), ("007", ScalarKind::Number));
        assert_eq!(value.part(1, 1), entries[1].1.span);
        assert_eq!(&text[value.span().offset..][..value.span().len], "*x");
        assert_eq!(entries[2].0.text, "007");
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
