//! Why a configuration cannot be used, with the place in the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is {size} bytes long, such a file has at most {max}", path.display())]
    TooLong { path: PathBuf, size: u64, max: u64 },
    #[error("{} has {count} files, at most {max} are laid over one another", folder.display())]
    TooMany { folder: PathBuf, count: usize, max: usize },
    #[error("{excerpt}")]
    Invalid { excerpt: Box<Excerpt> },
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    pub(super) fn invalid(path: &Path, text: &str, error: &serde_saphyr::Error) -> Self {
        let bare = error.without_snippet();
        let (line, column) = bare.location().map_or((1, 1), |place| (place.line(), place.column()));
        let reason = reason(&bare.to_string());
        let excerpt = Excerpt { path: path.to_owned(), text: text.to_owned(), line, column, reason };
        Self::Invalid { excerpt: Box::new(excerpt) }
    }

    /// A list of a name that is almost one of the binary's.
    pub(super) fn mistaken_list(path: &Path, text: &str, name: &str, meant: &str) -> Self {
        let line = text.lines().position(|line| line.trim_start_matches(['"', '\'']).starts_with(name));
        let line = line.map_or(1, |line| line as u64 + 1);
        let reason = format!("`{name}` is no list of the built-in rules; did you mean `{meant}`?");
        Self::placed(path, text, (line, 1), reason)
    }

    /// A mistake at a line and column.
    pub(super) fn placed(path: &Path, text: &str, (line, column): (u64, u64), reason: String) -> Self {
        let excerpt = Excerpt { path: path.to_owned(), text: text.to_owned(), line, column, reason };
        Self::Invalid { excerpt: Box::new(excerpt) }
    }

    /// The remedy, in one line.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read, with --config or under `allow`",
            Self::TooLong { .. } => "name a Tidewaiter configuration, a file of allow-lists, or a baseline",
            Self::TooMany { .. } => "put what belongs together into one file",
            Self::Invalid { .. } => {
                "every key with its default is in deploy/tidewaiter.yaml, every allow-list in deploy/allow.yaml"
            }
        }
    }

    /// The offending line with a caret below it, where there is one.
    #[must_use]
    pub fn excerpt(&self) -> Option<&Excerpt> {
        match self {
            Self::Invalid { excerpt } => Some(excerpt),
            Self::Unreadable { .. } | Self::TooLong { .. } | Self::TooMany { .. } => None,
        }
    }
}

/// A place in a configuration file and what is wrong there. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub path: PathBuf,
    text: String,
    /// From 1.
    pub line: u64,
    /// From 1, characters.
    pub column: u64,
    pub reason: String,
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.line, self.column, self.reason)
    }
}

impl Excerpt {
    /// The line and a caret, as several lines for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let (start, length) = self.span();
        let label = LabeledSpan::new(Some("here".to_owned()), start, length);
        let diagnostic = MietteDiagnostic::new(self.reason.clone()).with_label(label);
        let source = NamedSource::new(self.path.display().to_string(), self.text.clone());
        let report = Report::new(diagnostic).with_source_code(source);
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let mut rendered = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        // Writing to a String fails only if the source cannot be read, and it is a String too.
        match handler.render_report(&mut rendered, report.as_ref()) {
            // The first lines repeat the reason; the excerpt starts with its frame.
            Ok(()) => rendered.find("╭─").map_or(String::new(), |frame| {
                let line = rendered.get(..frame).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
                rendered.get(line..).unwrap_or_default().to_owned()
            }),
            Err(fmt::Error) => String::new(),
        }
    }

    /// Bytes from the start of the text to the place, and from there to the end of its word.
    fn span(&self) -> (usize, usize) {
        let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let line_start = self
            .text
            .split_inclusive('\n')
            .take(index(self.line))
            .map(str::len)
            .sum::<usize>()
            .min(self.text.len());
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let column = line.char_indices().nth(index(self.column)).map_or(line.len(), |(at, _)| at);
        let word = line.get(column..).unwrap_or_default();
        let word = word.split([' ', ',']).next().unwrap_or_default().trim_end_matches(':');
        (line_start + column, word.len())
    }
}

/// The reason without the place, which is told apart.
fn reason(text: &str) -> String {
    let first = text.lines().next().unwrap_or(text);
    first.split(" at line ").next().unwrap_or(first).trim_end_matches([',', ':', ' ']).to_owned()
}
