//! The loss ledger: how many records were made and what became of them, by kind and by cgroup.
//!
//! generated = delivered + aggregated + filtered + lost, exactly, at any moment. `generated` is counted
//! where a hook finds something to tell, the others where its fate is decided: a way out that forgets
//! to count shows as a difference.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One row of the per-CPU map `COUNTERS`, at [`super::Kind::row`]. Sums over CPUs are exact.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Counter {
    /// A hook saw something to tell.
    pub generated: u64,
    /// Put into the ring.
    pub delivered: u64,
    /// Beyond the limit of its cgroup: counted in the map `AGGREGATES` as far as that has room.
    pub aggregated: u64,
    /// Left out by design: a repetition within the window of its kind, or the agent's own doing.
    pub filtered: u64,
    /// The ring had no room.
    pub lost: u64,
    /// Of the filtered ones: the agent's own doings. By them it proves that a hook fires.
    pub own: u64,
}

impl Counter {
    /// What was generated and has no fate: zero, or the ledger lies. A record whose fate is being
    /// decided on another CPU at this moment counts here too, so look again before you believe it.
    #[must_use]
    pub const fn difference(&self) -> u64 {
        self.generated.wrapping_sub(self.delivered + self.aggregated + self.filtered + self.lost)
    }
}

/// Whose account: a row of the map `ACCOUNTS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AccountKey {
    /// The cgroup, or [`AccountKey::OTHERS`].
    pub cgroup_id: u64,
    /// A [`super::Kind`].
    pub kind: u32,
    pub reserved: u32,
}

impl AccountKey {
    /// The row for cgroups that found the map full. No cgroup has this id.
    pub const OTHERS: u64 = 0;
}

/// What became of one cgroup's records of one kind, the agent's own left out, and its token bucket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Account {
    /// The bucket, as the time at which it will be full again, `CLOCK_BOOTTIME` nanoseconds (the
    /// "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371).
    pub full: u64,
    pub delivered: u64,
    pub aggregated: u64,
    pub filtered: u64,
    pub lost: u64,
}

/// What records beyond the limit have in common: a row of the map `AGGREGATES`, its value a count.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AggregateKey {
    pub cgroup_id: u64,
    /// Destination as in [`super::network::Connect`]; zero for other families.
    pub address: [u8; 16],
    /// When, in units of [`super::setting::EPOCH_SHIFT`]: no program touches a past epoch's rows, so
    /// the agent can take them without losing a count.
    pub epoch: u32,
    /// The process; zero for the network family, where a flood may come from many.
    pub pid: u32,
    /// A [`super::Kind`].
    pub kind: u16,
    pub protocol: u16,
    pub port: u16,
    pub reserved: u16,
}
