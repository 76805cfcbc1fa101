//! What the sensor says of its rules.

/// The rules were read again while the sensor runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// They are in force.
    Loaded(RuleChange),
    /// They have mistakes: those of before stay in force.
    Refused(RuleRefusal),
}

/// What is in force now, and what of it is new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// Now, correlations among them.
    pub rules: usize,
    pub filters: usize,
    pub added: RuleNames,
    pub removed: RuleNames,
    pub changed: RuleNames,
    /// Matches that waited for a container's name and whose rule is gone.
    pub undecided: u64,
    /// From the first byte read until they were in force.
    pub milliseconds: u64,
}

/// Some rules or filters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleNames {
    pub count: usize,
    /// The first of them.
    pub first: Vec<RuleName>,
}

/// A rule or filter, as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleName {
    pub title: String,
    pub id: Option<String>,
}

/// Why the rules were not taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleRefusal {
    /// Those that stay in force.
    pub rules: usize,
    /// All.
    pub mistakes: usize,
    /// The first of them; the log has more.
    pub first: Vec<RuleMistake>,
}

/// A mistake in a rule, or a file that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleMistake {
    /// Absent where the message names the path.
    pub place: Option<RulePlace>,
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
}

/// Where a mistake is, in characters from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulePlace {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// A rule that takes more time than its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expensive {
    pub name: RuleName,
    /// The document it came from.
    pub source: String,
    /// Nanoseconds a run, on average.
    pub mean: u64,
    /// Thousandths of a core.
    pub share: u64,
    /// In the window.
    pub runs: u64,
    /// How long it was looked at, nanoseconds.
    pub window: u64,
}

impl Expensive {
    /// What to do about it.
    pub const REMEDY: &str = "let it ask for a plain value first (a program's name, a path), so that fewer events \
                              are run through it; or leave it out";
}
