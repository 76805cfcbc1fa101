//! The loss ledger: per kind, how many records were made and what became of them.
//!
//! generated = delivered + filtered + lost, exactly, at any moment.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One row of the per-CPU map `COUNTERS`, at [`super::Kind::row`]. Sums over CPUs are exact.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Counter {
    /// A hook saw something to tell.
    pub generated: u64,
    /// Put into the ring.
    pub delivered: u64,
    /// Left out by design: a repetition within the window of its kind, or the agent's own doing.
    pub filtered: u64,
    /// The ring had no room.
    pub lost: u64,
    /// Of the filtered ones: the agent's own doings. By them it proves that a hook fires.
    pub own: u64,
}
