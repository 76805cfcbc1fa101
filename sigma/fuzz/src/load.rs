//! Any text as a document: it is understood or refused, quickly, and what is refused is shown in its place.

use std::fmt::Write;

use sigma::{Diagnostic, RuleSet, Source};

use super::clock::Clock;
use super::host::{Host, placeholders};

/// Longest text that is made of a case, bytes; libFuzzer's own are bounded by its `-max_len`.
const TEXT_MAX: usize = 64 << 10;

/// Mistakes of one document that are rendered: each rendering reads the document again.
const RENDERED_MAX: usize = 8;

/// Opens a case that repeats its middle; no byte of UTF-8.
pub const REPEAT: u8 = 0xff;

/// Whether the document was understood.
///
/// # Panics
/// Where the engine breaks a promise.
pub fn check(data: &[u8], clock: Clock) -> bool {
    let Some(text) = text(data) else { return false };
    let source = Source::new("case.yml", text);
    let values = placeholders();
    let loaded = clock.time("load", || RuleSet::load([source.clone()], &Host, &values));
    match loaded {
        Ok(set) => {
            for rule in set.rules() {
                assert!(rule.line <= source.text.lines().count().max(1), "{rule:?}");
                assert!(serde_json::to_string(rule).is_ok());
            }
            true
        }
        Err(refused) => {
            assert!(!refused.is_empty(), "refused, and nobody is told why");
            for diagnostic in &refused {
                check_place(diagnostic, &source.text);
            }
            for diagnostic in refused.iter().take(RENDERED_MAX) {
                clock.time("render", || check_shown(diagnostic));
            }
            false
        }
    }
}

/// The text of a case. `REPEAT`, a count, two places, and text: its part between the places is repeated, since
/// it is repetition that makes a parser slow.
fn text(data: &[u8]) -> Option<String> {
    let [REPEAT, count, from, to, text @ ..] = data else {
        return std::str::from_utf8(data).ok().map(str::to_owned);
    };
    let text = std::str::from_utf8(text).ok()?;
    let place = |part: u8| text.floor_char_boundary(text.len() * usize::from(part) / 255);
    let (from, to) = (place(*from.min(to)), place(*from.max(to)));
    let (before, middle, after) = (&text[..from], &text[from..to], &text[to..]);
    let most = TEXT_MAX.saturating_sub(text.len()) / middle.len().max(1);
    let times = (1_usize << (count % 16)).min(most);
    Some([before, &middle.repeat(times), after].concat())
}

fn check_place(diagnostic: &Diagnostic, text: &str) {
    let (start, end) = (diagnostic.span.offset, diagnostic.span.offset + diagnostic.span.len);
    assert!(end <= text.len() && text.is_char_boundary(start), "outside of the text: {diagnostic:?}");
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let place = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    assert_eq!((diagnostic.line, diagnostic.column), place, "{diagnostic}");
    assert!(!diagnostic.message.is_empty());
}

fn check_shown(diagnostic: &Diagnostic) {
    assert!(!diagnostic.render(false).is_empty());
    let mut line = String::new();
    assert!(write!(line, "{diagnostic}").is_ok() && line.starts_with("case.yml:"), "{line}");
    assert!(serde_json::to_string(diagnostic).is_ok());
}
