//! Reads the kernel half's books, and says of whom they speak.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use sensor_ebpf::wire::counter::Account;
use sensor_ebpf::wire::setting::LIMIT_BURST;
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
    /// Limits that somebody else has set, since they were asked for.
    forged: u64,
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
        if self.books.has_news(&look.counters) {
            look.accounts = kernel.accounts.read();
            for (key, _) in look.accounts.iter().filter(|(_, account)| is_forged(account, time)) {
                kernel.accounts.unlimit(key);
                self.forged += 1;
            }
            look.aggregates = kernel.aggregates.take(look.epoch);
        }
        let aggregates = self.books.aggregates(&look, pipeline);
        let losses = self.books.losses(&look, pipeline);
        self.close(kernel, time);
        (losses, aggregates)
    }

    /// How many limits somebody else had set since the last call.
    pub(super) fn take_forged(&mut self) -> u64 {
        std::mem::take(&mut self.forged)
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

/// A bucket that is full again later than the sensor's programs ever let it be: its cgroup would be told of no more.
fn is_forged(account: &Account, now: u64) -> bool {
    /// The rows are read after the clock.
    const LATER: u64 = 1_000_000_000;
    account.full > now + LIMIT_BURST + LATER
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_beyond_what_the_programs_set_is_forged() {
        let now = 3_600_000_000_000;
        let full = |full| Account { full, ..Account::default() };
        assert!(!is_forged(&full(0), now));
        assert!(!is_forged(&full(now + LIMIT_BURST), now));
        assert!(is_forged(&full(u64::MAX), now));
    }
}
