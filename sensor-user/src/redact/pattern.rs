//! Secrets that are known by their own text.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};

use super::form::{FORMS, Form};
use super::settings::{OwnPattern, PATTERN_SIZE_MAX};
use super::word::{By, Span};

/// What words that announce secrets have in common, and the programs of `tool.rs`: where none of it is, there is
/// nothing to read.
const WORDS: &str = "(?i)pass|pwd|psk|token|secret|key|auth|bearer|cookie|connection|login|mysql|mariadb|curl|redis|valkey|\
                     ldap|mongo|sqlcmd|bcp|7z|zip|openssl|smb|rpcclient";

/// All patterns of the known forms.
pub(super) struct Patterns {
    set: RegexSet,
    each: Vec<(Form, Regex)>,
}

impl Patterns {
    /// Made once, when the first text is looked at: some milliseconds.
    pub(super) fn get() -> &'static Self {
        static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
            let rows = FORMS.iter().filter_map(|row| Some((row.form, row.pattern?)));
            // All of them are tested to be well-formed.
            let each: Vec<(Form, Regex)> =
                rows.filter_map(|(form, pattern)| Some((form, Regex::new(pattern).ok()?))).collect();
            let patterns = each.iter().map(|(_, regex)| regex.as_str()).chain([WORDS]);
            let set =
                RegexSetBuilder::new(patterns).size_limit(SET_SIZE_MAX).dfa_size_limit(SET_SIZE_MAX).build();
            Patterns { set: set.unwrap_or_else(|_| RegexSet::empty()), each }
        });
        &PATTERNS
    }

    pub(super) fn may_match(&self, text: &str) -> bool {
        self.set.is_match(text)
    }

    pub(super) fn find(&self, text: &str, found: &mut Vec<Span>) {
        // What only the words announce is the last of the set.
        for index in self.set.matches(text) {
            if let Some((form, regex)) = self.each.get(index) {
                collect(regex, text, By::Form(*form), found);
            }
        }
    }
}

/// Bytes that the search for all forms at once may take.
const SET_SIZE_MAX: usize = 4 << 20;

/// The operator's own patterns.
#[derive(Clone, Debug)]
pub(super) struct Own {
    set: RegexSet,
    each: Vec<(String, Regex)>,
}

impl Own {
    /// None: there are none.
    pub(super) fn new(patterns: &[OwnPattern]) -> Option<Self> {
        // They were tried when they were read.
        let each: Vec<(String, Regex)> =
            patterns.iter().filter_map(|own| Some((own.name().to_owned(), own.regex()?))).collect();
        let set = RegexSetBuilder::new(each.iter().map(|(_, regex)| regex.as_str()))
            .size_limit(PATTERN_SIZE_MAX.saturating_mul(each.len()))
            .build();
        (!each.is_empty()).then_some(Self { set: set.ok()?, each })
    }

    pub(super) fn may_match(&self, text: &str) -> bool {
        self.set.is_match(text)
    }

    pub(super) fn find(&self, text: &str, found: &mut Vec<Span>) {
        for index in self.set.matches(text) {
            if let Some((_, regex)) = self.each.get(index) {
                collect(regex, text, By::Own(index), found);
            }
        }
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.each.get(index).map_or("", |(name, _)| name)
    }
}

/// The first group that takes part, or without a group the whole.
fn collect(regex: &Regex, text: &str, by: By, found: &mut Vec<Span>) {
    for captures in regex.captures_iter(text) {
        let secret = captures.iter().skip(1).flatten().next().or_else(|| captures.get(0));
        if let Some(secret) = secret.filter(|secret| !is_reference(secret.as_str())) {
            found.push(Span { place: secret.range(), by });
        }
    }
}

/// What a script says in a secret's place: `${NAME}`, `$(command)`, `$NAME` in upper case.
fn is_reference(secret: &str) -> bool {
    let Some(rest) = secret.strip_prefix('$') else { return false };
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    rest.starts_with(['{', '(']) || (!rest.is_empty() && is_name(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_well_formed() {
        let patterns = Patterns::get();
        assert_eq!(patterns.each.len(), FORMS.iter().filter(|row| row.pattern.is_some()).count());
        assert_eq!(patterns.set.len(), patterns.each.len() + 1, "they are searched for together");
    }
}
