//! What the agent counts of itself, and what of it is a loss that must be told.

mod book;
mod budget;
pub mod snapshot;

use rustc_hash::FxHashMap;

pub use book::{Books, Look, Owner};
pub use budget::Budget;

use crate::alert::Loss;
use crate::ebpf::fanotify::Overflowed;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records of the ring that made no sense.
    pub refused_records: u64,
    /// Overflows of fanotify's queues: an unknown number of events each.
    pub lost_files: Overflowed,
    /// Events of fanotify that made no sense.
    pub refused_files: u64,
    /// Files whose directory was gone before it could be named: told with the bare name.
    pub unresolved_files: u64,
    /// Matches of rules that came when the correlations that read them had gone on.
    pub late_matches: u64,
    told: FxHashMap<&'static str, u64>,
}

impl Metrics {
    /// The agent's own losses since the last call, by place. `dropped` is what full tables dropped since the
    /// start.
    pub fn take_losses(&mut self, dropped: &[(&'static str, u64)]) -> Vec<Loss> {
        const FULL: &str = "fanotify queue full";
        let Overflowed { names, closes, opens } = self.lost_files;
        let own = [
            ("record", self.refused_records, "not decodable"),
            ("renamed, created, deleted or changed files (queue overflows)", names, FULL),
            ("closed files (queue overflows)", closes, FULL),
            ("opened secrets (queue overflows)", opens, FULL),
            ("fanotify event", self.refused_files, "not decodable"),
            ("match within a correlation", self.late_matches, "too late for its window"),
        ];
        let dropped = dropped.iter().map(|(what, total)| (*what, *total, "table full"));
        own.into_iter()
            .chain(dropped)
            .filter_map(|(what, total, reason)| self.news(what, total, reason))
            .collect()
    }

    fn news(&mut self, what: &'static str, total: u64, reason: &'static str) -> Option<Loss> {
        let told = self.told.insert(what, total).unwrap_or(0);
        let count = total.saturating_sub(told);
        (count > 0).then(|| Loss { what: what.to_owned(), count, reason, ..Loss::default() })
    }
}
