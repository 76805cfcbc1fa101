//! Placeholders: values that a site fills in (rules specification, "Placeholders").

use std::collections::{BTreeMap, BTreeSet};

use super::condition::QUESTIONS_MAX;
use super::diagnostic::Span;
use super::document::Reader;
use super::modifier::RegexFlags;
use super::pattern::Pattern;
use super::predicate::RegularExpression;
use super::suggestion::did_you_mean;
use super::value::reason;
use super::yaml::Scalar;

/// Most values of one placeholder: a list of accounts or addresses that somebody keeps by hand. Each becomes
/// a question, of which a rule may ask 50,000. A rule that uses a longer one is refused.
pub(super) const VALUES_MAX: usize = 10_000;

/// What stands for `%name%` in values with the modifier `expand`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    values: BTreeMap<String, Vec<String>>,
    /// Names that may have no value: such a one matches nothing.
    may_be_empty: BTreeSet<String>,
}

impl Placeholders {
    /// The values of a placeholder, wildcards allowed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.values.get(name).map(Vec::as_slice)
    }

    /// These may have no value: a list of what is allowed is sound when nothing is. An item whose placeholder has
    /// none is true of nothing. Of all others a missing value is taken for a mistake, and refused.
    #[must_use]
    pub fn allow_empty<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.may_be_empty.extend(names.into_iter().map(Into::into));
        self
    }

    /// All names, for "did you mean".
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl FromIterator<(String, Vec<String>)> for Placeholders {
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(values: T) -> Self {
        Self { values: values.into_iter().collect(), may_be_empty: BTreeSet::new() }
    }
}

/// A piece of a value with the modifier `expand`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is written, but for `\%`, which became `%`.
    Text(String),
    /// `%name%`; where the first percent stands, in bytes.
    Name { name: String, offset: usize },
}

/// Takes a value with the modifier `expand` apart.
///
/// A backslash escapes a percent and, as everywhere in a value, itself: `\\%name%` is a backslash before a
/// placeholder.
///
/// # Errors
/// The place of a percent that begins no placeholder.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, usize> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut characters = text.char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, '%')) => plain.push('%'),
                Some((_, other)) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            '%' => {
                let rest = characters.as_str();
                let (name, behind) =
                    rest.split_once('%').filter(|(name, _)| !name.is_empty()).ok_or(offset)?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Name { name: name.to_owned(), offset });
                characters.nth(rest.chars().count() - behind.chars().count() - 1);
            }
            other => plain.push(other),
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// A [`Part`] whose values are known.
enum Filled {
    Text(String),
    Values(Vec<String>, Span),
}

impl Reader<'_> {
    /// Notes that an item asks too much.
    pub(super) fn refuse_questions<T>(&mut self, span: Span) -> Option<T> {
        let message = format!("with this value the rule asks more than {QUESTIONS_MAX} questions");
        self.refuse(span, message, Some("split the rule".into()))
    }

    /// All combinations of the values of a value's placeholders, as patterns: wildcards in them are wildcards.
    pub(super) fn filled_in_patterns(&mut self, scalar: &Scalar) -> Option<Vec<Pattern>> {
        let mut forms = vec![Pattern::default()];
        for part in self.filled(scalar)? {
            match part {
                Filled::Text(text) => forms.iter_mut().for_each(|form| form.append(&Pattern::parse(&text))),
                Filled::Values(values, _) => {
                    let values: Vec<_> = values.iter().map(|value| Pattern::parse(value)).collect();
                    forms = product(&forms, &values, Pattern::append);
                }
            }
        }
        Some(forms)
    }

    /// All combinations, as they are written.
    pub(super) fn filled_in_texts(&mut self, scalar: &Scalar) -> Option<Vec<String>> {
        let mut forms = vec![String::new()];
        for part in self.filled(scalar)? {
            match part {
                Filled::Text(text) => forms.iter_mut().for_each(|form| form.push_str(&text)),
                Filled::Values(values, _) => {
                    forms = product(&forms, &values, |form, value| form.push_str(value));
                }
            }
        }
        Some(forms)
    }

    /// One regular expression with the values as alternatives; none at all where a placeholder has no value. A
    /// value is a regular expression itself, and whole by itself.
    pub(super) fn filled_in_regex(&mut self, scalar: &Scalar, flags: RegexFlags) -> Option<Vec<String>> {
        let mut written = String::new();
        for part in self.filled(scalar)? {
            match part {
                Filled::Text(text) => written.push_str(&text),
                Filled::Values(values, _) if values.is_empty() => return Some(Vec::new()),
                Filled::Values(values, span) => {
                    for value in &values {
                        if let Err(error) = RegularExpression::compile(value, flags) {
                            let message =
                                format!("the value `{value}` is no regular expression: {}", reason(&error));
                            return self.refuse(span, message, Some("change it in the configuration".into()));
                        }
                    }
                    let groups: Vec<_> = values.iter().map(|value| format!("(?:{value})")).collect();
                    written.push_str(&format!("(?:{})", groups.join("|")));
                }
            }
        }
        Some(vec![written])
    }

    fn filled(&mut self, scalar: &Scalar) -> Option<Vec<Filled>> {
        let parts = match parts(&scalar.text) {
            Ok(parts) => parts,
            Err(offset) => {
                let help =
                    Some("write `\\%` for a percent sign, or end the name with another percent".to_owned());
                return self.refuse(scalar.part(offset, 1), "this percent begins no placeholder", help);
            }
        };
        let mut combinations: usize = 1;
        let mut filled = Vec::with_capacity(parts.len());
        for part in parts {
            filled.push(match part {
                Part::Text(text) => Filled::Text(text),
                Part::Name { name, offset } => {
                    let span = scalar.part(offset, name.len() + 2);
                    let values = self.values(&name, span)?;
                    combinations = combinations.saturating_mul(values.len());
                    if combinations > QUESTIONS_MAX {
                        return self.refuse_questions(span);
                    }
                    self.expanded.insert(name);
                    Filled::Values(values, span)
                }
            });
        }
        Some(filled)
    }

    fn values(&mut self, name: &str, span: Span) -> Option<Vec<String>> {
        let configured = self.placeholders.get(name).map(<[String]>::to_vec);
        let how = "under `placeholders` in the configuration";
        match configured {
            Some(values) if values.is_empty() && !self.placeholders.may_be_empty.contains(name) => {
                let help = Some(format!("give it a value {how}"));
                self.refuse(span, format!("the placeholder `{name}` has no value"), help)
            }
            Some(values) if values.len() > VALUES_MAX => {
                let message = format!(
                    "the placeholder `{name}` has {} values, at most {VALUES_MAX} are taken",
                    values.len()
                );
                self.refuse(span, message, Some(format!("shorten the list {how}")))
            }
            Some(values) => Some(values),
            None => {
                let meant = did_you_mean(name, self.placeholders.names());
                let help = meant.unwrap_or_else(|| format!("list its values as `{name}` {how}"));
                self.refuse(span, format!("the placeholder `{name}` is not configured"), Some(help))
            }
        }
    }
}

/// Each of `forms` with each of `values` behind it.
fn product<F: Clone, V>(forms: &[F], values: &[V], append: impl Fn(&mut F, &V)) -> Vec<F> {
    let mut longer = Vec::with_capacity(forms.len() * values.len());
    for form in forms {
        for value in values {
            let mut with = form.clone();
            append(&mut with, value);
            longer.push(with);
        }
    }
    longer
}

#[cfg(test)]
mod tests {
    use super::{Part, parts};

    #[test]
    fn percents_are_names_unless_they_are_escaped() {
        let text = |text: &str| Part::Text(text.to_owned());
        let name = |name: &str, offset| Part::Name { name: name.to_owned(), offset };
        for (written, expected) in [
            ("%a%", Ok(vec![name("a", 0)])),
            (r"\%plain%name%", Ok(vec![text("%plain"), name("name", 7)])),
            (r"C:\\%name%\x", Ok(vec![text(r"C:\\"), name("name", 4), text(r"\x")])),
            ("%a%%b%", Ok(vec![name("a", 0), name("b", 3)])),
            ("ä%ö ü%*", Ok(vec![text("ä"), name("ö ü", 2), text("*")])),
            (r"50\%", Ok(vec![text("50%")])),
            (r"a\", Ok(vec![text(r"a\")])),
            ("", Ok(vec![])),
            ("50%", Err(2)),
            ("%%", Err(0)),
            ("%a%b%", Err(4)),
        ] {
            assert_eq!(parts(written), expected, "{written}");
        }
    }
}
