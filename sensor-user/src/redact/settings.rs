//! What the operator decided about it: the key `redact`.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::form::{FORMS, Form};
use super::mark;

/// Most own patterns: each is searched for in every text.
const PATTERNS_MAX: usize = 64;
/// Longest own pattern, bytes.
const LENGTH_MAX: usize = 1024;
/// Bytes that an own pattern may take when it is compiled.
pub(super) const PATTERN_SIZE_MAX: usize = 256 << 10;

/// The key `redact`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedactSettings {
    /// Forms to leave as they are.
    pub off: Off,
    /// Whether a mark tells equal secrets from others.
    pub digest: bool,
    /// The operator's own.
    #[serde(deserialize_with = "bounded")]
    pub patterns: Vec<OwnPattern>,
}

impl Default for RedactSettings {
    fn default() -> Self {
        Self { off: Off::default(), digest: true, patterns: Vec::new() }
    }
}

/// What is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Off {
    All,
    Forms(Vec<Form>),
}

impl Default for Off {
    fn default() -> Self {
        Self::Forms(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Off {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = Off;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true` for all known forms of secrets, or a list of their names")
            }

            fn visit_bool<E: de::Error>(self, is_off: bool) -> Result<Off, E> {
                Ok(if is_off { Off::All } else { Off::default() })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Off, E> {
                match text {
                    "true" => Ok(Off::All),
                    "false" => Ok(Off::default()),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Off, A::Error> {
                let mut forms = Vec::new();
                while let Some(form) = list.next_element::<Form>()? {
                    if !forms.contains(&form) {
                        forms.push(form);
                    }
                }
                Ok(Off::Forms(forms))
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    #[error("`{0}` is no name for a pattern: 1 to 24 of a-z, 0-9 and `_`")]
    Name(String),
    #[error("`{0}` is the name of a known form: give the pattern another")]
    Taken(String),
    #[error("the pattern `{name}` has {length} bytes, at most {LENGTH_MAX} are searched for: split it")]
    Long { name: String, length: usize },
    #[error("the pattern `{name}` is no regular expression that can be searched for: {reason}")]
    Regex { name: String, reason: String },
    #[error("the pattern `{0}` matches where nothing is: say what the secret looks like")]
    Empty(String),
    #[error("more than {PATTERNS_MAX} patterns: each is searched for in every text; join some with `|`")]
    Many,
}

/// A pattern and its name. Its first group that takes part is the secret, without a group all that matches is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct OwnPattern {
    name: String,
    regex: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    regex: String,
}

impl TryFrom<Written> for OwnPattern {
    type Error = PatternError;

    fn try_from(Written { name, regex }: Written) -> Result<Self, PatternError> {
        Self::new(name, regex)
    }
}

impl OwnPattern {
    /// # Errors
    /// It cannot be searched for, or its name be told.
    pub fn new(name: String, regex: String) -> Result<Self, PatternError> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > mark::NAME_MAX || !name.bytes().all(is_letter) {
            return Err(PatternError::Name(name));
        }
        if FORMS.iter().any(|row| row.name == name) {
            return Err(PatternError::Taken(name));
        }
        if regex.len() > LENGTH_MAX {
            return Err(PatternError::Long { name, length: regex.len() });
        }
        let own = Self { name, regex };
        match own.compile() {
            Ok(regex) if regex.is_match("") => Err(PatternError::Empty(own.name)),
            Ok(_) => Ok(own),
            Err(error) => {
                let reason = error.to_string();
                // The parser draws the place on lines of its own; its last line says what is wrong.
                let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                Err(PatternError::Regex { name: own.name, reason: reason.to_owned() })
            }
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.regex).size_limit(PATTERN_SIZE_MAX).build()
    }

    pub(super) fn regex(&self) -> Option<Regex> {
        self.compile().ok()
    }
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OwnPattern>, D::Error> {
    let list = Vec::<OwnPattern>::deserialize(deserializer)?;
    if list.len() > PATTERNS_MAX {
        return Err(de::Error::custom(PatternError::Many));
    }
    Ok(list)
}

/// Where `capture` left the values of secret variables out already.
pub(super) fn set_places(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let set = crate::capture::SET;
    text.match_indices(set).map(|(at, found)| (at, at + found.len()))
}
