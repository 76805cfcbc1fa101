//! What the agent counts of itself, and what of it is a loss that must be told.

use rustc_hash::FxHashMap;
use sensor_ebpf::wire::Kind;
use tracing::warn;

use crate::alert::Loss;
use crate::ebpf::counter::Ledger;
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
    told: FxHashMap<&'static str, u64>,
}

impl Metrics {
    /// Losses since the last call, by kind of record and place. `dropped` is what full tables dropped
    /// since the start.
    pub fn take_losses(&mut self, ledger: &Ledger, dropped: &[(&'static str, u64)]) -> Vec<Loss> {
        let mut losses = Vec::new();
        for kind in Kind::ALL {
            match ledger.read(kind) {
                Ok(counter) => losses.extend(self.news(kind.name(), counter.lost, "ring full")),
                Err(error) => warn!(%error, kind = kind.name(), "the kernel half's ledger cannot be read"),
            }
        }
        losses.extend(self.news("record", self.refused_records, "not decodable"));
        let Overflowed { names, closes, opens } = self.lost_files;
        for (what, total) in [
            ("renamed, created, deleted or changed files (queue overflows)", names),
            ("closed files (queue overflows)", closes),
            ("opened secrets (queue overflows)", opens),
        ] {
            losses.extend(self.news(what, total, "fanotify queue full"));
        }
        losses.extend(self.news("fanotify event", self.refused_files, "not decodable"));
        for (what, total) in dropped {
            losses.extend(self.news(what, *total, "table full"));
        }
        losses
    }

    fn news(&mut self, what: &'static str, total: u64, reason: &'static str) -> Option<Loss> {
        let told = self.told.insert(what, total).unwrap_or(0);
        let count = total.saturating_sub(told);
        (count > 0).then(|| Loss { what: what.to_owned(), count, reason })
    }
}
