//! The kernel half's books by cgroup, and what was counted instead of told.

use aya::maps::{HashMap, MapData};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::counter::{Account, AccountKey, AggregateKey};
use zerocopy::{FromBytes as _, IntoBytes as _};

/// Keys and rows as aya reads them: the bytes of [`AccountKey`], [`Account`] and [`AggregateKey`].
pub type Key = [u8; size_of::<AccountKey>()];
pub type Row = [u8; size_of::<Account>()];
pub type Target = [u8; size_of::<AggregateKey>()];

/// `BPF_EXIST` (include/uapi/linux/bpf.h): no row is made.
const EXISTING: u64 = 2;
/// Most rows of one reading: twice what a map holds, as in [`super::flow`].
const READ_MAX: usize = 32_768;

/// Reads the map `ACCOUNTS`.
pub struct Accounts {
    rows: HashMap<MapData, Key, Row>,
}

impl Accounts {
    #[must_use]
    pub fn new(rows: HashMap<MapData, Key, Row>) -> Self {
        Self { rows }
    }

    #[must_use]
    pub fn read(&self) -> Vec<(AccountKey, Account)> {
        let rows = self.rows.iter().take(READ_MAX).filter_map(Result::ok);
        rows.filter_map(|(key, row)| {
            Some((AccountKey::read_from_bytes(&key).ok()?, Account::read_from_bytes(&row).ok()?))
        })
        .collect()
    }

    /// Takes the limit back that somebody else has set on an account. What programs add in this moment is in the sums by
    /// kind alone.
    pub fn unlimit(&mut self, key: &AccountKey) {
        let mut bytes = Key::default();
        if key.write_to(&mut bytes).is_err() {
            return;
        }
        let read = self.rows.get(&bytes, 0).ok().and_then(|row| Account::read_from_bytes(&row).ok());
        let Some(account) = read else { return };
        let mut row = [0; size_of::<Account>()];
        if (Account { full: 0, ..account }).write_to(&mut row).is_ok() {
            // One that is gone by now has no limit.
            let _ = self.rows.insert(bytes, row, EXISTING);
        }
    }

    /// Closes the accounts of a cgroup that is gone; that of all others stays.
    pub fn close(&mut self, cgroup_id: u64) {
        if cgroup_id == AccountKey::OTHERS {
            return;
        }
        for kind in Kind::ALL {
            let key = AccountKey { cgroup_id, kind: u32::from(kind as u16), reserved: 0 };
            let mut bytes = Key::default();
            if key.write_to(&mut bytes).is_ok() {
                // Most kinds it never had: then there is nothing to remove.
                let _ = self.rows.remove(&bytes);
            }
        }
    }
}

/// Empties the map `AGGREGATES`.
pub struct Aggregates {
    rows: HashMap<MapData, Target, u64>,
}

impl Aggregates {
    #[must_use]
    pub fn new(rows: HashMap<MapData, Target, u64>) -> Self {
        Self { rows }
    }

    /// All rows; those of an epoch before `end` are taken out.
    pub fn take(&mut self, end: u32) -> Vec<(AggregateKey, u64)> {
        let rows: Vec<_> = self.rows.iter().take(READ_MAX).filter_map(Result::ok).collect();
        let mut read = Vec::with_capacity(rows.len());
        for (bytes, count) in rows {
            let Ok(key) = AggregateKey::read_from_bytes(&bytes) else { continue };
            // A row that cannot be removed is not told, else it would be told again.
            if key.epoch >= end || self.rows.remove(&bytes).is_ok() {
                read.push((key, count));
            }
        }
        read
    }
}
