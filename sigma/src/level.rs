//! How serious a rule says its finding is. Five steps, ordered; nothing in between.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Sigma's `level` (rules specification, "Level"), least serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    /// All levels, least serious first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// What a rule without `level` is taken for. The key is optional in the specification, which
    /// names no default; the middle is the value that neither cries wolf nor hides anything.
    pub const UNSTATED: Self = Self::Medium;

    /// One step less serious; `Informational` stays.
    #[must_use]
    pub fn lower(self) -> Self {
        match self {
            Self::Informational | Self::Low => Self::Informational,
            Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }

    /// The name Sigma documents use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no level; write informational, low, medium, high or critical")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.name() == word).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn levels_are_ordered_and_lowering_stops_at_the_floor() {
        assert!(Level::ALL.is_sorted());
        assert_eq!(Level::Critical.lower(), Level::High);
        assert_eq!(Level::Low.lower(), Level::Informational);
        assert_eq!(Level::Informational.lower(), Level::Informational);
    }

    #[test]
    fn names_go_both_ways() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{level}\""));
        }
        assert!("High".parse::<Level>().is_err());
    }
}
