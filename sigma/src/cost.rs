//! What each rule costs.

/// Of one rule, since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Records that it was a candidate of: its condition was gone through.
    pub runs: u64,
    pub matches: u64,
    /// Matches that a filter kept back.
    pub suppressed: u64,
    /// Nanoseconds, extrapolated from a sample of the runs.
    pub time: u64,
}
