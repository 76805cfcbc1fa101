//! A condition taken apart, so that the part that decided can be seen.

use super::Clause;
use super::question::Asking;
use crate::condition::{self, Selection};
use crate::record::Record;

impl<R: Record> Asking<'_, '_, R> {
    /// The condition and each of its parts, asked by itself. `None`: it is no condition of these selections.
    pub(super) fn clause(&mut self, text: &str, selections: &[Selection]) -> Option<Clause> {
        // The loader has bounded how deep it nests.
        let mut used = vec![false; selections.len()];
        let expression = condition::parse(text, selections, &mut used).ok()?;
        let truth = self.ask(&expression);
        let parts = joined(text).into_iter().map(|part| self.clause(part, selections));
        Some(Clause { text: text.to_owned(), truth, parts: parts.collect::<Option<Vec<_>>>()? })
    }
}

/// What the outermost `or`, or else `and`, joins; nothing where neither does. Parentheses around all of it, and a
/// `not` before them, are looked into.
fn joined(text: &str) -> Vec<&str> {
    for word in ["or", "and"] {
        let parts = split(text, word);
        if parts.len() > 1 {
            return parts;
        }
    }
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let negated = || text.strip_prefix("not").map(str::trim).filter(|rest| rest.starts_with('('));
    match (inner, negated()) {
        (Some(inner), _) => joined(inner),
        // Its parts are those of the opposite; one alone is it.
        (None, Some(rest)) => vec![rest],
        (None, None) => Vec::new(),
    }
}

/// Splits at a word that stands outside of parentheses.
fn split<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut from) = (0, 0_usize, 0);
    let boundaries =
        text.char_indices().filter(|(_, letter)| letter.is_whitespace() || matches!(letter, '(' | ')'));
    for (at, letter) in boundaries.chain([(text.len(), ' ')]) {
        if depth == 0 && text.get(from..at) == Some(word) {
            parts.push(text.get(start..from).unwrap_or_default().trim());
            start = at;
        }
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        from = at + letter.len_utf8();
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn conditions_are_split_at_their_outermost_word() {
        for (text, parts) in [
            ("a", &[][..]),
            ("a and b and not c", &["a", "b", "not c"]),
            ("a and b or not (c or d)", &["a and b", "not (c or d)"]),
            ("(a or b) and (c)", &["(a or b)", "(c)"]),
            ("(a or b)", &["a", "b"]),
            ("((a and b))", &["a", "b"]),
            ("not (a and b)", &["(a and b)"]),
            ("not a", &[]),
            ("1 of a* and all of them", &["1 of a*", "all of them"]),
            ("order and(android)or(b)", &["order and(android)", "(b)"]),
        ] {
            assert_eq!(joined(text), parts, "{text}");
        }
    }
}
