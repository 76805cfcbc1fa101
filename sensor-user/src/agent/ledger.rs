//! Reads the kernel half's books, and says of whom they speak.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::warn;

use super::{facts, report};
use crate::alert::{Aggregate, LedgerRow, Loss};
use crate::ebpf::load::Loaded;
use crate::metric::{Books, Look, Owner};
use crate::pipeline::Pipeline;
use crate::state::container::Container;

/// How long the accounts of a cgroup outlive it, nanoseconds: its connections may end a minute later
/// (`tcp_fin_timeout`), which would open them again for good.
const ACCOUNT_KEPT: u64 = 120 * 1_000_000_000;
/// Most cgroups whose accounts wait to be closed: as many as the map has rows. Beyond it the oldest goes early.
const GONE_MAX: usize = 16_384;

/// Keeps the books between looks.
#[derive(Default)]
pub(super) struct Bookkeeper {
    books: Books,
    /// Cgroups that were removed, and when.
    gone: VecDeque<(u64, u64)>,
}

impl Bookkeeper {
    /// A cgroup was removed.
    pub(super) fn note_gone(&mut self, cgroup_id: u64, time: u64) {
        self.gone.push_back((cgroup_id, time));
    }

    /// What was lost and what was counted instead of told since the last look. `is_last`: no program runs any
    /// more, so every epoch is over.
    pub(super) fn look(
        &mut self,
        kernel: &mut Loaded,
        pipeline: &Pipeline,
        is_last: bool,
    ) -> (Vec<Loss>, Vec<Aggregate>) {
        let counters = match kernel.ledger.read_all() {
            Ok(counters) => counters,
            Err(error) => {
                warn!(%error, "the kernel half's ledger cannot be read");
                return (Vec::new(), Vec::new());
            }
        };
        let time = facts::now();
        let mut look = Look { time, counters, ..Look::default() };
        look.epoch = if is_last { u32::MAX } else { Books::epoch(time) };
        if self.books.has_new_losses(&look.counters) {
            look.accounts = kernel.accounts.read();
        }
        if self.books.has_new_aggregates(&look.counters) {
            look.aggregates = kernel.aggregates.take(look.epoch);
        }
        let aggregates = self.books.aggregates(&look, pipeline);
        let losses = self.books.losses(&look, pipeline);
        self.close(kernel, time);
        (losses, aggregates)
    }

    /// Kinds that had any records, each with what became of them.
    pub(super) fn rows(kernel: &Loaded) -> Vec<LedgerRow> {
        let counters = kernel.ledger.read_all().unwrap_or_default();
        let rows = counters.into_iter().filter(|(_, counter)| counter.generated > 0);
        rows.map(|(kind, counter)| LedgerRow { kind: kind.name(), counter }).collect()
    }

    /// Closes the accounts of cgroups that have been gone for long; what they lost has been told.
    fn close(&mut self, kernel: &mut Loaded, now: u64) {
        while let Some((cgroup_id, time)) = self.gone.front().copied()
            && (now.saturating_sub(time) >= ACCOUNT_KEPT || self.gone.len() > GONE_MAX)
        {
            self.gone.pop_front();
            kernel.accounts.close(cgroup_id);
            self.books.close(cgroup_id);
        }
    }
}

impl Owner for Pipeline {
    fn container(&self, cgroup_id: u64) -> Option<Arc<Container>> {
        self.containers.get(&self.containers.by_cgroup(cgroup_id)?)
    }

    fn program(&self, pid: u32) -> Option<String> {
        self.processes.comm(pid).map(str::to_owned)
    }

    fn date(&self, time: u64) -> Timestamp {
        report::date(time)
    }
}
