//! The kernel half's books, look by look: what was lost or only counted since the last one, whose it was, and
//! whether the sums agree.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::counter::{Account, AccountKey, AggregateKey, Counter};
use sensor_ebpf::wire::setting::EPOCH_SHIFT;

use crate::alert::{Aggregate, Loss, Place, Target, Window};
use crate::state::container::Container;
use crate::state::flow::address;

/// Most rows of one notice: what a person reads, and what a syslog frame holds. The rest is summed up by kind.
const ROWS_MAX: usize = 16;

/// The kernel half's maps at one moment.
#[derive(Debug, Default)]
pub struct Look {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub counters: Vec<(Kind, Counter)>,
    /// Needed where [`Books::has_new_losses`].
    pub accounts: Vec<(AccountKey, Account)>,
    /// Needed where [`Books::has_new_aggregates`]; read after the counters.
    pub aggregates: Vec<(AggregateKey, u64)>,
    /// Rows of an epoch before this were taken out of the map.
    pub epoch: u32,
}

/// Who can say whose a record is, and when it was.
pub trait Owner {
    fn container(&self, cgroup_id: u64) -> Option<Arc<Container>>;
    fn program(&self, pid: u32) -> Option<String>;
    fn date(&self, time: u64) -> Timestamp;
}

/// What was told.
#[derive(Debug, Default)]
pub struct Books {
    looked: u64,
    lost: FxHashMap<u16, u64>,
    lost_by_cgroup: FxHashMap<(u64, u16), u64>,
    aggregated: FxHashMap<u16, u64>,
    /// Records without a fate at the last look, and what was told of them.
    differences: FxHashMap<u16, (u64, u64)>,
}

impl Books {
    #[must_use]
    pub fn has_new_losses(&self, counters: &[(Kind, Counter)]) -> bool {
        counters.iter().any(|(kind, counter)| counter.lost > told(&self.lost, *kind))
    }

    #[must_use]
    pub fn has_new_aggregates(&self, counters: &[(Kind, Counter)]) -> bool {
        counters.iter().any(|(kind, counter)| counter.aggregated > told(&self.aggregated, *kind))
    }

    /// Epochs before this are over: what a program counts at `time` is in the last one or the one before.
    #[must_use]
    pub fn epoch(time: u64) -> u32 {
        u32::try_from(time >> EPOCH_SHIFT).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Losses since the last look, and records that have no fate at two looks.
    pub fn losses(&mut self, look: &Look, owner: &impl Owner) -> Vec<Loss> {
        let from = if self.looked == 0 { look.time } else { self.looked };
        self.looked = look.time;
        let window = Some(Window { from: owner.date(from), to: owner.date(look.time) });
        let mut rows: Vec<(Kind, Option<u64>, u64)> = Vec::new();
        for (kind, counter) in &look.counters {
            rows.extend(self.lost(*kind, counter.lost, &look.accounts));
        }
        rows.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
        let beyond = rows.split_off(rows.len().min(ROWS_MAX));
        let rest = sum_by_kind(beyond.iter().map(|(kind, _, count)| (*kind, *count)));
        rows.extend(rest.into_iter().map(|(kind, count)| (kind, None, count)));
        let mut losses: Vec<Loss> = rows
            .into_iter()
            .map(|(kind, cgroup_id, count)| Loss {
                what: kind.name().to_owned(),
                count,
                reason: "ring full",
                container: cgroup_id.and_then(|id| owner.container(id)),
                window,
            })
            .collect();
        losses.extend(self.defects(&look.counters));
        losses
    }

    /// Records that were counted instead of told, and whose epoch is over.
    pub fn aggregates(&mut self, look: &Look, owner: &impl Owner) -> Vec<Aggregate> {
        let mut sums: FxHashMap<Common, (u64, u32, u32)> = FxHashMap::default();
        let mut waiting: FxHashMap<u16, u64> = FxHashMap::default();
        for (key, count) in &look.aggregates {
            if key.epoch >= look.epoch {
                *waiting.entry(key.kind).or_default() += count;
                continue;
            }
            *self.aggregated.entry(key.kind).or_default() += count;
            let sum = sums.entry(Common::from(key)).or_insert((0, key.epoch, key.epoch));
            *sum = (sum.0 + count, sum.1.min(key.epoch), sum.2.max(key.epoch));
        }
        let start = |epoch: u32| u64::from(epoch) << EPOCH_SHIFT;
        let window = |first: u32, last: u32| Window {
            from: owner.date(start(first)),
            to: owner.date(start(last.saturating_add(1)).min(look.time)),
        };
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(common, (count, ..))| (std::cmp::Reverse(*count), *common));
        let beyond = sums.split_off(sums.len().min(ROWS_MAX));
        let mut rows: Vec<Aggregate> = sums
            .into_iter()
            .filter_map(|(common, (count, first, last))| {
                Some(Aggregate {
                    what: Kind::try_from(common.kind).ok()?.name(),
                    count,
                    container: owner.container(common.cgroup_id),
                    target: common.target(owner),
                    window: window(first, last),
                })
            })
            .collect();
        let beyond =
            beyond.into_iter().filter_map(|(it, (count, ..))| Some((Kind::try_from(it.kind).ok()?, count)));
        let others = sum_by_kind(beyond.chain(self.without_row(&look.counters, &waiting)));
        let all = window(Self::epoch(self.looked.min(look.time)), look.epoch);
        rows.extend(others.into_iter().map(|(kind, count)| Aggregate {
            what: kind.name(),
            count,
            container: None,
            target: Target::Others,
            window: all,
        }));
        rows
    }

    /// A cgroup is gone, and its accounts with it.
    pub fn close(&mut self, cgroup_id: u64) {
        self.lost_by_cgroup.retain(|(of, _), _| *of != cgroup_id);
    }

    /// Losses of a kind by cgroup. What the accounts do not say is nobody's.
    fn lost(
        &mut self,
        kind: Kind,
        total: u64,
        accounts: &[(AccountKey, Account)],
    ) -> Vec<(Kind, Option<u64>, u64)> {
        let mut news = total.saturating_sub(told(&self.lost, kind));
        self.lost.insert(kind as u16, total);
        let mut rows = Vec::new();
        for (key, account) in accounts.iter().filter(|(key, _)| key.kind == u32::from(kind as u16)) {
            let known = self.lost_by_cgroup.entry((key.cgroup_id, kind as u16)).or_default();
            // The accounts were read a little later: what they have more is news of the next look.
            let count = account.lost.saturating_sub(*known).min(news);
            *known += count;
            news -= count;
            if count > 0 {
                rows.push((kind, Some(key.cgroup_id), count));
            }
        }
        if news > 0 {
            rows.push((kind, None, news));
        }
        rows
    }

    /// Counted, but in no row: the map was full. What waits in rows of this epoch is told later.
    fn without_row(
        &mut self,
        counters: &[(Kind, Counter)],
        waiting: &FxHashMap<u16, u64>,
    ) -> Vec<(Kind, u64)> {
        let mut rows = Vec::new();
        for (kind, counter) in counters {
            let waiting = waiting.get(&(*kind as u16)).copied().unwrap_or(0);
            let told = self.aggregated.entry(*kind as u16).or_default();
            let count = counter.aggregated.saturating_sub(*told).saturating_sub(waiting);
            *told += count;
            if count > 0 {
                rows.push((*kind, count));
            }
        }
        rows
    }

    /// Records that have no fate at this look and had none at the last one.
    fn defects(&mut self, counters: &[(Kind, Counter)]) -> Vec<Loss> {
        let mut defects = Vec::new();
        for (kind, counter) in counters {
            let (before, told) = self.differences.entry(*kind as u16).or_default();
            let stays = counter.difference().min(*before);
            *before = counter.difference();
            if stays > *told {
                let count = stays - *told;
                *told = stays;
                let reason = "neither told nor counted: a defect of the sensor";
                defects.push(Loss { what: kind.name().to_owned(), count, reason, ..Loss::default() });
            }
        }
        defects
    }
}

/// What aggregated records have in common, whenever they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Common {
    kind: u16,
    cgroup_id: u64,
    address: [u8; 16],
    protocol: u16,
    port: u16,
    pid: u32,
}

impl From<&AggregateKey> for Common {
    fn from(key: &AggregateKey) -> Self {
        let AggregateKey { cgroup_id, address, epoch: _, pid, kind, protocol, port, reserved: _ } = *key;
        Self { kind, cgroup_id, address, protocol, port, pid }
    }
}

impl Common {
    fn target(&self, owner: &impl Owner) -> Target {
        if self.pid != 0 {
            return Target::Process { pid: self.pid, program: owner.program(self.pid) };
        }
        let address: IpAddr = address(self.address);
        if address.is_unspecified() && self.port == 0 {
            return Target::Others;
        }
        Target::Destination(Place { protocol: self.protocol.into(), address, port: self.port, name: None })
    }
}

fn told(sums: &FxHashMap<u16, u64>, kind: Kind) -> u64 {
    sums.get(&(kind as u16)).copied().unwrap_or(0)
}

/// In the order of [`Kind::ALL`], kinds without any left out.
fn sum_by_kind(rows: impl Iterator<Item = (Kind, u64)>) -> Vec<(Kind, u64)> {
    let mut sums: FxHashMap<u16, u64> = FxHashMap::default();
    for (kind, count) in rows {
        *sums.entry(kind as u16).or_default() += count;
    }
    Kind::ALL.into_iter().filter_map(|kind| Some((kind, *sums.get(&(kind as u16))?))).collect()
}

#[cfg(test)]
mod tests;
