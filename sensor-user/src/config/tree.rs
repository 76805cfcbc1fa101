//! Configuration files laid over one another: of maps each key by itself, and the later file wins; lists and values
//! are replaced whole.
//!
//! It works on how values are written. What they mean is said in one place, where the whole is read.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Columns by which what is inside of something stands to the right of it.
const INDENT: usize = 2;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Scalar(Scalar),
    List(Vec<Self>),
    Map(Vec<(Scalar, Self)>),
}

/// Text, and whether quotes say that it is nothing but text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    text: String,
    is_quoted: bool,
}

/// A collection whose end has not come.
enum Open {
    List(Vec<Tree>),
    /// And the key whose value comes next.
    Map(Vec<(Scalar, Tree)>, Option<Scalar>),
}

impl Default for Tree {
    fn default() -> Self {
        Self::Map(Vec::new())
    }
}

impl Tree {
    /// Reads a text that is known to be a configuration.
    ///
    /// # Errors
    /// It has what only a file that stands alone may have, at this line and column.
    pub(super) fn read(text: &str) -> Result<Self, (u64, u64, &'static str)> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|_| (1, 1, "this is no YAML that can be laid over another file"))?;
            let done = match event {
                Event::Alias(_) => {
                    let column = span.start.col() as u64 + 1;
                    let reason = "write it out: what `*` stands for is not known where files are laid over one another";
                    return Err((span.start.line() as u64, column, reason));
                }
                Event::Scalar(text, style, _, _) => {
                    Some(Self::Scalar(Scalar::new(text.into_owned(), style != ScalarStyle::Plain)))
                }
                Event::SequenceStart(..) => {
                    open.push(Open::List(Vec::new()));
                    None
                }
                Event::MappingStart(..) => {
                    open.push(Open::Map(Vec::new(), None));
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => open.pop().map(Open::close),
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => None,
            };
            if let Some(tree) = done {
                match open.last_mut() {
                    Some(parent) => parent.take(tree),
                    None => root = Some(tree),
                }
            }
        }
        // A file of comments says nothing.
        Ok(root.filter(|root| matches!(root, Self::Map(_))).unwrap_or_default())
    }

    /// Lays another over it.
    pub(super) fn lay(&mut self, other: Self) {
        match (self, other) {
            (Self::Map(entries), Self::Map(others)) => {
                for (key, value) in others {
                    match entries.iter_mut().find(|(known, _)| known.text == key.text) {
                        Some((_, known)) => known.lay(value),
                        None => entries.push((key, value)),
                    }
                }
            }
            (this, other) => *this = other,
        }
    }

    /// As YAML: a configuration again.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text.push('\n');
        text.trim_start_matches('\n').to_owned()
    }

    fn write(&self, indent: usize, text: &mut String) {
        let begin = |text: &mut String| {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
        };
        match self {
            Self::Scalar(scalar) => {
                text.push(' ');
                text.push_str(&scalar.render());
            }
            Self::List(items) if items.is_empty() => text.push_str(" []"),
            Self::Map(entries) if entries.is_empty() => text.push_str(" {}"),
            Self::List(items) => items.iter().for_each(|item| {
                begin(text);
                text.push('-');
                item.write(indent + INDENT, text);
            }),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                begin(text);
                text.push_str(&key.render());
                text.push(':');
                value.write(indent + INDENT, text);
            }),
        }
    }

    /// The uppermost keys whose values are written in another way here than there.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let entries = |tree: &Self| match tree {
            Self::Map(entries) => entries.clone(),
            Self::Scalar(_) | Self::List(_) => Vec::new(),
        };
        let (these, those) = (entries(self), entries(other));
        let value = |entries: &[(Scalar, Self)], key: &str| {
            entries.iter().find(|(known, _)| known.text == key).map(|(_, value)| value.clone())
        };
        let mut keys: Vec<String> = these.iter().chain(&those).map(|(key, _)| key.text.clone()).collect();
        keys.sort();
        keys.dedup();
        keys.retain(|key| value(&these, key) != value(&those, key));
        keys
    }
}

impl Scalar {
    fn new(text: String, is_quoted: bool) -> Self {
        Self { text, is_quoted }
    }

    /// Quotes that JSON and YAML have in common; a plain text over several lines can be nothing but text.
    fn render(&self) -> String {
        if self.is_quoted || self.text.contains('\n') {
            serde_json::Value::from(self.text.as_str()).to_string()
        } else if self.text.is_empty() {
            "null".to_owned()
        } else {
            self.text.clone()
        }
    }
}

impl Open {
    fn close(self) -> Tree {
        match self {
            Self::List(items) => Tree::List(items),
            Self::Map(entries, _) => Tree::Map(entries),
        }
    }

    fn take(&mut self, tree: Tree) {
        match self {
            Self::List(items) => items.push(tree),
            Self::Map(entries, key) => match (key.take(), tree) {
                (Some(key), value) => entries.push((key, value)),
                (None, Tree::Scalar(scalar)) => *key = Some(scalar),
                // No key of a configuration is a collection, so it has been refused already.
                (None, Tree::List(_) | Tree::Map(_)) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn laid(texts: &[&str]) -> Tree {
        let mut tree = Tree::default();
        texts.iter().for_each(|text| tree.lay(Tree::read(text).unwrap()));
        tree
    }

    #[test]
    fn of_maps_each_key_by_itself_of_lists_all() {
        let tree = laid(&[
            "outbox: {directory: /a, mebibytes: 5}\nsyslog: [udp://a, udp://b]\nlog: info\n",
            "outbox:\n  mebibytes: 6\nsyslog:\n- udp://c\n",
            "# nothing\n",
            "log: warn\nformat: json\n",
        ]);
        let expected =
            "outbox:\n  directory: /a\n  mebibytes: 6\nsyslog:\n  - udp://c\nlog: warn\nformat: json\n";
        assert_eq!(tree.render(), expected);
    }

    #[test]
    fn what_is_rendered_means_what_was_written() {
        let shipped = include_str!("../../../deploy/tidewaiter.yaml");
        let others = [
            "placeholders: {Servers: [\"22\", 'a: b', \"tab\\tand \\\"quote\\\"\", plain text]}\n",
            "syslog:\n  - url: tls://h:1\n    format: \"cef\"\n  - unix:///dev/log\ncontrol: null\n",
            "placeholders:\n  A:\n    - |\n      two\n      lines\n    - >-\n      one\n      line\n",
        ];
        for text in others.iter().chain([&shipped]) {
            let path = Path::new("tidewaiter.yaml");
            let direct = Config::parse(text, path).unwrap();
            let rendered = laid(&[text]).render();
            assert_eq!(Config::parse(&rendered, path).unwrap(), direct, "{rendered}");
        }
    }

    #[test]
    fn keys_that_differ_are_named() {
        let (old, new) =
            (laid(&["log: info\nrules: [a]\nfile: []\n"]), laid(&["rules: [b]\nfile: []\ncontrol: null\n"]));
        assert_eq!(old.differing(&new), ["control", "log", "rules"]);
        assert_eq!(old.differing(&old), [""; 0]);
    }

    #[test]
    fn an_alias_is_refused_at_its_place() {
        let (line, column, reason) = Tree::read("rules: &a [x]\nallow: *a\n").unwrap_err();
        assert_eq!((line, column), (2, 8), "{reason}");
    }
}
