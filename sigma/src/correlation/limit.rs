//! Bounds of the windows: what they take at most, why, and what happens beyond.

/// How much later than newer ones a match may come, nanoseconds. Events whose container has no name yet are
/// held back for up to ten seconds, and a second passes between two looks. Later ones are left out and counted.
pub(super) const TOLERANCE: u64 = 15_000_000_000;

/// How much later than its window's end a correlation may be told that is only decided then: the tolerance,
/// and the host's beat. Correlations that read it wait that much longer.
pub(super) const DECISION: u64 = TOLERANCE + 5_000_000_000;

/// Longest timespan, days. State is in memory and ends with the program; a month of it is not to be had.
pub(super) const TIMESPAN_MAX_DAYS: u64 = 30;

/// Most groups of all correlations. With the [entries](ENTRIES_MAX) it bounds the memory to some 20 MiB.
/// Beyond it the group that was touched longest ago is dropped and counted.
pub(super) const GROUPS_MAX: usize = 16_384;

/// Most matches of all groups: 48 bytes each. Beyond it whole groups are dropped, as above.
pub(super) const ENTRIES_MAX: usize = 131_072;

/// Most matches of one group, so that one flood cannot drive out all other groups. Beyond it matches that
/// decide nothing are joined with their neighbours; if that is not enough, the oldest eighth is dropped (the
/// newest match, where the window is only decided in the end) and counted.
pub(super) const GROUP_ENTRIES_MAX: usize = 8_192;

/// Highest count that a condition may ask for: a group that just made room must still tell it from a higher
/// one.
pub(super) const COUNT_MAX: usize = GROUP_ENTRIES_MAX / 8 * 7 - 1;

/// Into how many parts a window is cut when the matches of one part must share an entry: sums of more than
/// [`GROUP_ENTRIES_MAX`] matches are exact to a thousandth of their timespan.
pub(super) const WINDOW_PARTS: u64 = 1_024;

/// Events kept to show what a group is made of: as many as a person reads.
pub(super) const GROUP_STEPS_MAX: usize = 8;

/// Events kept by all groups. Each may hold a process with its ancestors alive. Beyond it the event that was
/// kept longest is let go, which takes a line from an alert and decides nothing.
pub(super) const STEPS_MAX: usize = 4_096;

/// Longest text of a group's value that is kept to be shown, bytes. Of longer ones a hash of the whole tells
/// them apart: 16,384 groups by command line would take gigabytes.
pub(super) const VALUE_MAX: usize = 512;

/// How long the number of matches that were not told again is kept for the next time, nanoseconds: a day,
/// since an alert is read within it.
pub(super) const REPEATS_KEPT: u64 = 86_400_000_000_000;

/// Matches of correlations that wait for a value of their record, all together. They wait seconds; beyond it
/// the oldest is dropped and counted.
pub(super) const WAITING_MAX: usize = 1_024;

/// How far the host's records may lag behind its clock, nanoseconds, before groups that only wait for more
/// are taken for over. A minute behind, a sensor has lost more than a window.
pub(super) const LAG: u64 = 60_000_000_000;
