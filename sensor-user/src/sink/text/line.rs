//! Lines of styled spans: measured, cut and wrapped before they are painted, so that no escape
//! sequence is ever counted or cut.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use sigma::Level;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::visible;

/// Some text in one style. Safe to show whatever it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    style: Style,
    text: String,
}

/// The styles of all messages, by meaning.
pub(super) const PLAIN: Style = Style::new();
pub(super) const STRONG: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const PLACE: Style = AnsiColor::Cyan.on_default();
pub(super) const FILE: Style = AnsiColor::Green.on_default();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();

/// The style of a level's badge: inverted, so that it reads on light and dark terminals.
pub(super) fn level_style(level: Level) -> Style {
    let colour = match level {
        Level::Critical => AnsiColor::Magenta,
        Level::High => AnsiColor::Red,
        Level::Medium => AnsiColor::Yellow,
        Level::Low => AnsiColor::Cyan,
        Level::Informational => AnsiColor::Blue,
    };
    colour.on_default().bold().invert()
}

/// A level in at most eight letters.
pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Critical => "CRITICAL",
        Level::High => "HIGH",
        Level::Medium => "MEDIUM",
        Level::Low => "LOW",
        Level::Informational => "INFO",
    }
}

pub(super) fn span(style: Style, text: impl AsRef<str>) -> Span {
    Span { style, text: visible(text.as_ref()).into_owned() }
}

impl Span {
    pub(super) fn width(&self) -> usize {
        self.text.width()
    }
}

/// One line, without its newline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<Span>);

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, span: Span) -> &mut Self {
        self.0.push(span);
        self
    }

    /// With a span at the end.
    pub(super) fn with(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.0.push(span(style, text));
        self
    }

    /// With another line's spans at the end.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn width(&self) -> usize {
        self.0.iter().map(Span::width).sum()
    }

    /// With blanks up to a column.
    pub(super) fn pad(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width());
        self.with(PLAIN, " ".repeat(missing))
    }

    /// At most `width` columns, an ellipsis in place of what is cut.
    pub(super) fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        let mut cut = Self::new();
        for Span { style, text } in self.0 {
            let head = head(&text, room);
            let whole = head.len() == text.len();
            room -= head.width();
            cut.0.push(Span { style, text: head.to_owned() });
            if !whole {
                cut.0.push(Span { style, text: "…".to_owned() });
                break;
            }
        }
        cut
    }

    /// Adds the line to `text`, with escape sequences only when there is colour, and without blanks
    /// at its end.
    pub(super) fn paint(&self, colour: bool, text: &mut String) {
        let last = self.0.iter().rposition(|span| !span.text.trim_end().is_empty());
        for (index, Span { style, text: own }) in self.0.iter().enumerate() {
            let own = match last {
                Some(last) if index < last => Cow::Borrowed(own.as_str()),
                Some(last) if index == last && *style == PLAIN => Cow::Borrowed(own.trim_end()),
                Some(last) if index == last => Cow::Borrowed(own.as_str()),
                Some(_) | None => break,
            };
            if colour && *style != PLAIN && !own.trim().is_empty() {
                text.push_str(&format!("{style}{own}{style:#}"));
            } else {
                text.push_str(&own);
            }
        }
    }
}

/// The longest beginning of a text that takes at most `width` columns.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// A text in lines of at most `width` columns, broken at blanks where there are any, at most `lines`
/// of them: the last one then ends in an ellipsis.
pub(super) fn wrap(style: Style, text: &str, width: usize, lines: usize) -> Vec<Line> {
    let text = visible(text);
    let mut rest = text.trim_end();
    let mut wrapped = Vec::new();
    while !rest.is_empty() {
        if rest.width() <= width || wrapped.len() + 1 == lines {
            wrapped.push(Line(vec![Span { style, text: rest.to_owned() }]).cut(width));
            break;
        }
        let fits = head(rest, width);
        // A blank right behind what fits ends it too. A word wider than the line is cut through, and
        // so is a last word that would leave the line more than half empty.
        let limit = if rest.get(fits.len()..).is_some_and(|tail| tail.starts_with(' ')) {
            fits.len()
        } else {
            fits.rfind(' ').filter(|at| *at * 2 >= fits.len()).unwrap_or(fits.len())
        };
        // At least one character, so that the loop ends whatever the width is.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let (line, tail) = rest.split_at(limit.max(first).min(rest.len()));
        wrapped.push(Line(vec![Span { style, text: line.trim_end().to_owned() }]));
        rest = tail.trim_start();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(lines: &[Line]) -> Vec<String> {
        lines
            .iter()
            .map(|line| {
                let mut text = String::new();
                line.paint(false, &mut text);
                text
            })
            .collect()
    }

    #[test]
    fn wraps_at_blanks_and_cuts_the_last() {
        assert_eq!(plain(&wrap(PLAIN, "one two three four", 8, 9)), ["one two", "three", "four"]);
        assert_eq!(plain(&wrap(PLAIN, "one two three four", 8, 2)), ["one two", "three f…"]);
        assert_eq!(plain(&wrap(PLAIN, "abcdefghij", 4, 9)), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn a_wide_character_is_not_cut_in_half() {
        assert_eq!(plain(&[Line::new().with(PLAIN, "漢字漢字").cut(4)]), ["漢…"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in any::<String>(), width in 2..60_usize, lines in 1..6_usize) {
            let wrapped = wrap(PLAIN, &text, width, lines);
            prop_assert!(wrapped.len() <= lines);
            for line in &wrapped {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            prop_assert!(Line::new().with(PLAIN, "a").with(FAINT, &text).cut(width).width() <= width);
        }
    }
}
