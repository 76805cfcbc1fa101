//! A mistake in a rule, shown where it stands, as a good compiler shows it.
//!
//! Rendering returns text; where it is written, and whether in colour, is the caller's.

use std::fmt;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

/// Columns a rendered diagnostic may take. Rules are read in terminals and CI logs of this width.
const WIDTH: usize = 110;

/// Longest line that is drawn, bytes. No person finds a caret in a longer one, and the drawing crate panics
/// beyond 65,535 columns, of which a tab takes several; such a mistake is told in one line.
const LINE_MAX: usize = 4096;

/// A place in a source: bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    pub offset: usize,
    pub len: usize,
}

/// A document by its name: a path, or `built-in:<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

impl Source {
    /// A document and the name under which people know it.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// One mistake in one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Name of the document.
    #[serde(rename = "file")]
    pub source: String,
    #[serde(skip)]
    text: Arc<str>,
    pub span: Span,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place of a document; what lies beyond its text is cut.
    #[must_use]
    pub fn new(source: &Source, span: Span, message: impl Into<String>) -> Self {
        let offset = source.text.floor_char_boundary(span.offset);
        let before = source.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            source: source.name.to_string(),
            text: Arc::clone(&source.text),
            span: Span { offset, len: span.len.min(source.text.len() - offset) },
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
            help: None,
        }
    }

    #[must_use]
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Several lines: the message, the place in the document with a caret, the remedy.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        if self.is_too_long() {
            return format!("{self}\n");
        }
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
        let mut out = String::new();
        let shown = Shown { diagnostic: self, code: NamedSource::new(&self.source, Arc::clone(&self.text)) };
        match handler.render_report(&mut out, &shown) {
            Ok(()) => out,
            Err(fmt::Error) => format!("{self}\n"),
        }
    }

    /// Whether a line is too long among those that would be drawn: those of the mistake, and one around them.
    fn is_too_long(&self) -> bool {
        let Span { offset, len } = self.span;
        let (before, after) = (self.text.get(..offset), self.text.get(offset + len..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let start = before.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at);
        let end = after.match_indices('\n').nth(1).map_or(after.len(), |(at, _)| at);
        let drawn = self.text.get(start..offset + len + end).unwrap_or(&self.text);
        drawn.split('\n').any(|line| line.len() > LINE_MAX)
    }
}

/// `file:line:column: message`, which editors can jump to.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.source, self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// A diagnostic as `miette` wants to see it: with the document's text beside it.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    code: NamedSource<Arc<str>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Span { offset, len } = self.diagnostic.span;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, offset, len))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, Source, Span};

    fn sample() -> Diagnostic {
        let source = Source::new("rules/ä.yml", "title: ä\nlevel: hihg\n");
        Diagnostic::new(&source, Span { offset: 17, len: 4 }, "`hihg` is no level").with_help("write `high`")
    }

    #[test]
    fn one_line_names_file_line_and_column_in_characters() {
        assert_eq!(sample().to_string(), "rules/ä.yml:2:8: `hihg` is no level (write `high`)");
    }

    #[test]
    fn rendering_shows_the_line_and_keeps_colour_out_unless_asked() {
        let plain = sample().render(false);
        assert!(plain.contains("level: hihg"), "{plain}");
        assert!(plain.contains("write `high`"), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(sample().render(true).contains('\u{1b}'));
    }

    #[test]
    fn json_carries_the_place() {
        let json = serde_json::to_value(sample()).unwrap();
        assert_eq!(json["file"], "rules/ä.yml");
        assert_eq!((json["line"].as_u64(), json["column"].as_u64()), (Some(2), Some(8)));
    }

    #[test]
    fn a_line_that_nobody_could_read_is_told_and_not_drawn() {
        for around in [["", ""], ["x\n", "\nx"], ["\n", "\n"]] {
            let long = "\t".repeat(70_000);
            for (before, after) in [(long.as_str(), ""), ("", long.as_str()), (long.as_str(), long.as_str())]
            {
                let text = format!("{before}{}mistake{}{after}", around[0], around[1]);
                let source = Source::new("x", text.as_str());
                let offset = text.find("mistake").unwrap();
                let told = Diagnostic::new(&source, Span { offset, len: 7 }, "m").render(false);
                assert!(told.starts_with("x:") && told.lines().count() == 1, "{told}");
            }
        }
    }

    #[test]
    fn a_span_beyond_the_text_is_cut_to_it() {
        let source = Source::new("x", "ab");
        let diagnostic = Diagnostic::new(&source, Span { offset: 9, len: 9 }, "m");
        assert_eq!(diagnostic.span, Span { offset: 2, len: 0 });
        assert!(!diagnostic.render(false).is_empty());
    }
}
