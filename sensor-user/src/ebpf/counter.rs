//! The kernel half's loss ledger, summed over CPUs.

use aya::maps::{MapData, MapError, PerCpuArray};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::counter::Counter;

/// A row of the map as aya reads it: the columns of [`Counter`] in their order.
pub type Row = [u64; 6];

/// Reads the ledger.
pub struct Ledger {
    rows: PerCpuArray<MapData, Row>,
}

impl Ledger {
    #[must_use]
    pub fn new(rows: PerCpuArray<MapData, Row>) -> Self {
        Self { rows }
    }

    /// The row of one kind of record.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn read(&self, kind: Kind) -> Result<Counter, MapError> {
        let row = u32::try_from(kind.row()).unwrap_or(u32::MAX);
        let mut sum = Counter::default();
        for [generated, delivered, aggregated, filtered, lost, own] in self.rows.get(&row, 0)?.iter().copied()
        {
            sum.generated += generated;
            sum.delivered += delivered;
            sum.aggregated += aggregated;
            sum.filtered += filtered;
            sum.lost += lost;
            sum.own += own;
        }
        Ok(sum)
    }
}
