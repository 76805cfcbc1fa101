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

    /// The rows of all kinds, each looked at again while a record of it has no fate yet: one whose fate is
    /// being decided on another processor has it a moment later.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn read_all(&self) -> Result<Vec<(Kind, Counter)>, MapError> {
        /// A program takes microseconds, and another one may begin meanwhile.
        const LOOKS: usize = 16;
        let look = |kind| {
            let mut counter = self.read(kind)?;
            for _ in 0..LOOKS {
                if counter.difference() == 0 {
                    break;
                }
                counter = self.read(kind)?;
            }
            Ok((kind, counter))
        };
        Kind::ALL.into_iter().map(look).collect()
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
