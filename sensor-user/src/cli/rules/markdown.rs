//! Markdown as lines of a terminal: what an ADS is written with, and no more of Markdown than that.
//!
//! Headings, paragraphs, lists, quoted code, code, bold text and links. Whatever else there is stands as it is written.
//! Text passes through [`visible`], so it can move no cursor.

use anstyle::{AnsiColor, Effects, Style};
use unicode_width::UnicodeWidthStr as _;

use super::tree::paint;
use crate::sink::text::escape::visible;

const HEADING: Style = AnsiColor::Cyan.on_default().effects(Effects::BOLD);
const STRONG: Style = Style::new().effects(Effects::BOLD);
const CODE: Style = AnsiColor::Yellow.on_default();
const LINK: Style = Style::new().effects(Effects::UNDERLINE);
const PLAIN: Style = Style::new();

/// Columns before the text of a section.
const INDENT: usize = 2;

/// Narrowest text, columns: a terminal below that cuts it by itself.
const WIDTH_MIN: usize = 20;

/// A part of a line in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    text: String,
    style: Style,
}

/// The document as lines, each ended by a newline, at most `width` columns but for longer words.
pub(super) fn render(text: &str, width: usize, colour: bool) -> String {
    let mut out = String::new();
    let mut block = Block::default();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block.end(&mut out, width, colour);
            is_code = !is_code;
        } else if is_code {
            out.push_str(&format!("{:1$}{2}\n", "", INDENT + 2, paint(CODE, &visible(line), colour)));
        } else if line.trim().is_empty() {
            block.end(&mut out, width, colour);
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else if let Some(title) = line.strip_prefix('#') {
            block.end(&mut out, width, colour);
            let title = title.trim_start_matches('#').trim();
            out.push_str(&format!("{}\n", paint(HEADING, &visible(title), colour)));
        } else if let Some((mark, rest)) = item(line) {
            block.end(&mut out, width, colour);
            block = Block { mark: mark.to_owned(), text: rest.to_owned() };
        } else {
            block.add(line.trim());
        }
    }
    block.end(&mut out, width, colour);
    format!("{}\n", out.trim_end())
}

/// The mark and text of `- text` or `1. text`.
fn item(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (mark, rest) = line.split_once(' ')?;
    let is_number = mark.strip_suffix('.').is_some_and(|number| number.parse::<u8>().is_ok());
    (is_number || matches!(mark, "-" | "*")).then_some((mark, rest))
}

/// A paragraph or an item of a list, as far as it was read.
#[derive(Default)]
struct Block {
    mark: String,
    text: String,
}

impl Block {
    fn add(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(line);
    }

    /// Writes it, if there is something of it.
    fn end(&mut self, out: &mut String, width: usize, colour: bool) {
        let block = std::mem::take(self);
        if block.text.is_empty() {
            return;
        }
        let hang = if block.mark.is_empty() { INDENT } else { INDENT + block.mark.width() + 1 };
        let room = width.saturating_sub(hang).max(WIDTH_MIN);
        for (number, line) in wrap(&spans(&block.text), room).iter().enumerate() {
            let shown: String = line.iter().map(|span| paint_span(span, colour)).collect();
            if number == 0 && !block.mark.is_empty() {
                out.push_str(&format!("{:INDENT$}{} {shown}\n", "", block.mark));
            } else {
                out.push_str(&format!("{:hang$}{shown}\n", ""));
            }
        }
    }
}

fn paint_span(span: &Span, colour: bool) -> String {
    let text = visible(&span.text);
    if span.style == PLAIN { text.into_owned() } else { paint(span.style, &text, colour) }
}

/// Cuts a paragraph at `` `code` ``, `**bold**`, `[text](url)` and `<url>`.
fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        match marked(rest) {
            Some((found, after)) => {
                push(&mut spans, std::mem::take(&mut plain), PLAIN);
                spans.extend(found);
                rest = after;
            }
            None => {
                let mut characters = rest.chars();
                plain.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    push(&mut spans, plain, PLAIN);
    spans
}

fn push(spans: &mut Vec<Span>, text: String, style: Style) {
    if !text.is_empty() {
        spans.push(Span { text, style });
    }
}

/// What begins here with a mark of its own, and what comes after it.
fn marked(text: &str) -> Option<(Vec<Span>, &str)> {
    let span = |text: &str, style| Span { text: text.to_owned(), style };
    let between = |open: &str, close: &str| {
        let (inner, after) = text.strip_prefix(open)?.split_once(close)?;
        (!inner.is_empty()).then_some((inner, after))
    };
    if let Some((code, after)) = between("`", "`") {
        return Some((vec![span(code, CODE)], after));
    }
    if let Some((strong, after)) = between("**", "**") {
        return Some((vec![span(strong, STRONG)], after));
    }
    if let Some((link, after)) = between("<", ">").filter(|(link, _)| is_link(link)) {
        return Some((vec![span(link, LINK)], after));
    }
    let (words, after) = between("[", "](")?;
    let (link, after) = after.split_once(')')?;
    is_link(link).then(|| (vec![span(words, PLAIN), span(" ", PLAIN), span(link, LINK)], after))
}

fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Breaks at blanks, so that no line is wider than `width`, but for a word that is.
fn wrap(spans: &[Span], width: usize) -> Vec<Vec<Span>> {
    let mut lines: Vec<Vec<Span>> = Vec::new();
    let (mut line, mut used) = (Vec::new(), 0);
    for word in words(spans) {
        let size: usize = word.iter().map(|span| span.text.width()).sum();
        if used > 0 && used + 1 + size > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(Span { text: " ".to_owned(), style: PLAIN });
            used += 1;
        }
        line.extend(word);
        used += size;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// What stands between blanks, in as many styles as it has.
fn words(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut words: Vec<Vec<Span>> = Vec::new();
    let mut word: Vec<Span> = Vec::new();
    for span in spans {
        for (number, part) in span.text.split(char::is_whitespace).enumerate() {
            if number > 0 && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            push(&mut word, part.to_owned(), span.style);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
## Response

1. Read the URL: do you know this host, and is it
   a bare address?
2. Use `curl -o f`, **not** [the page](https://example.org/p).

```sh
echo  two  blanks
```

Prose, with <https://example.org/> in it.
- a
- b
";

    #[test]
    fn all_that_an_ads_has_is_laid_out() {
        let expected = "\
Response

  1. Read the URL: do you know this host,
     and is it a bare address?
  2. Use curl -o f, not the page
     https://example.org/p.

    echo  two  blanks

  Prose, with https://example.org/ in it.
  - a
  - b
";
        assert_eq!(render(TEXT, 41, false), expected);
    }

    #[test]
    fn colour_changes_no_letter() {
        let coloured = render(TEXT, 41, true);
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), render(TEXT, 41, false));
    }

    #[test]
    fn marks_without_an_end_and_control_characters_are_text() {
        assert_eq!(render("a `b **c [d] <e \u{1b}[2J", 80, false), "  a `b **c [d] <e \\x1b[2J\n");
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for strategy in crate::detection::Emulation::built_in() {
            let catalogue = crate::detection::Catalogue::built_in();
            let text = catalogue.strategy(strategy.name).unwrap().text().to_owned();
            for line in render(&text, 60, false).lines() {
                let is_one_word = line.trim().split(' ').count() <= 2;
                assert!(line.width() <= 60 || is_one_word, "{}: {line}", strategy.name);
            }
        }
    }
}
