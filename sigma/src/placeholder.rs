//! Placeholders: values that a site fills in (rules specification, "Placeholders").

use std::collections::BTreeMap;

/// Most values of one placeholder: a list of accounts or addresses that somebody keeps by hand. Each becomes
/// a question, of which a rule may ask 50,000.
pub(crate) const VALUES_MAX: usize = 10_000;

/// What stands for `%name%` in values with the modifier `expand`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    values: BTreeMap<String, Vec<String>>,
}

impl Placeholders {
    /// The values of a placeholder, wildcards allowed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.values.get(name).map(Vec::as_slice)
    }

    /// All names, for "did you mean".
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl FromIterator<(String, Vec<String>)> for Placeholders {
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(values: T) -> Self {
        Self { values: values.into_iter().collect() }
    }
}
