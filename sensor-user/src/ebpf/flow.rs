//! The kernel half's byte counters, one row for each process and socket.

use aya::maps::{HashMap, MapData, MapError};
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use zerocopy::{FromBytes as _, IntoBytes as _};

/// A key and a row as aya reads them: the bytes of [`FlowKey`] and [`Flow`].
pub type Key = [u8; size_of::<FlowKey>()];
pub type Row = [u8; size_of::<Flow>()];

/// Most rows of one reading: twice what the map holds. A key that goes while the reading stands on it makes
/// the kernel begin anew (`htab_map_get_next_key`, kernel/bpf/hashtab.c).
const READ_MAX: usize = 65_536;

/// Reads and empties the map `FLOWS`.
pub struct FlowRows {
    rows: HashMap<MapData, Key, Row>,
}

impl FlowRows {
    #[must_use]
    pub fn new(rows: HashMap<MapData, Key, Row>) -> Self {
        Self { rows }
    }

    /// All rows; one that goes meanwhile is left out.
    #[must_use]
    pub fn read(&self) -> Vec<(FlowKey, Flow)> {
        let keys = self.rows.keys().take(READ_MAX).filter_map(Result::ok);
        keys.filter_map(|key| Some((FlowKey::read_from_bytes(&key).ok()?, self.get(&key)?))).collect()
    }

    /// A row as it is now.
    #[must_use]
    pub fn look(&self, key: &FlowKey) -> Option<Flow> {
        let mut bytes = Key::default();
        key.write_to(&mut bytes).ok()?;
        self.get(&bytes)
    }

    /// A row, which is taken out. Its process or socket is gone, so nothing is added between.
    pub fn take(&mut self, key: &FlowKey) -> Option<Flow> {
        let mut bytes = Key::default();
        key.write_to(&mut bytes).ok()?;
        let row = self.get(&bytes)?;
        self.rows.remove(&bytes).ok()?;
        Some(row)
    }

    /// Takes a row out. What is added in the moment since it was read is lost to its process, not to the end
    /// of a TCP connection; the row of an idle or ended process is not added to.
    ///
    /// # Errors
    /// The kernel refuses; a row that is not there is no error.
    pub fn remove(&mut self, key: &FlowKey) -> Result<(), MapError> {
        let mut bytes = Key::default();
        if key.write_to(&mut bytes).is_err() {
            return Ok(());
        }
        match self.rows.remove(&bytes) {
            Err(MapError::KeyNotFound) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn get(&self, key: &Key) -> Option<Flow> {
        Flow::read_from_bytes(&self.rows.get(key, 0).ok()?).ok()
    }
}
