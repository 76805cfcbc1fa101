//! Mount tables: from a file's place in its file system to the path its actor sees.
//!
//! The kernel half walks dentries up to the root of a file system and tells which device that is.
//! What is mounted where is asked once per mount namespace (`host::mount`) and remembered here.
//! Pure; where no table is known, only well-known layouts of overlay layers are read, nothing guessed.

mod layer;
mod table;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

pub use layer::strip_layer;
pub(crate) use table::make_device;
pub use table::{Mount, MountTable};

/// Most mount namespaces remembered: as many as containers are (`state::container`). The one read
/// longest ago is evicted.
const NAMESPACES_MAX: usize = 4_096;
/// How long a table is taken for fresh, nanoseconds. A container's mounts rarely change after its
/// start, the host's do with every container; a stale table is used until a newer one is read.
const FRESH: u64 = 10 * 1_000_000_000;

/// The mount tables of the host and of the namespaces seen, by namespace inode number.
#[derive(Debug, Default)]
pub struct Mounts {
    host_ns: u32,
    tables: FxHashMap<u32, Known>,
    arrivals: VecDeque<u32>,
    evicted: u64,
}

#[derive(Debug)]
struct Known {
    table: MountTable,
    read_at: u64,
}

impl Mounts {
    /// `host_ns`: the mount namespace whose paths the overlays' options are written in, the one the
    /// container runtimes live in.
    #[must_use]
    pub fn new(host_ns: u32, host: MountTable, now: u64) -> Self {
        let mut mounts = Self { host_ns, ..Self::default() };
        mounts.insert(host_ns, host, now);
        mounts
    }

    /// The table of this namespace should be read (again) while one of its processes is there.
    #[must_use]
    pub fn wants(&self, mnt_ns: u32, now: u64) -> bool {
        mnt_ns != 0 && self.tables.get(&mnt_ns).is_none_or(|known| now.saturating_sub(known.read_at) >= FRESH)
    }

    /// Is something of this file system mounted in the namespace, or below an overlay there, as far as is known?
    #[must_use]
    pub fn knows(&self, device: u32, mnt_ns: u32) -> bool {
        let has = |mnt_ns: u32| self.tables.get(&mnt_ns).is_some_and(|known| known.table.has(device));
        has(mnt_ns) || has(self.host_ns)
    }

    /// Was the table of this namespace read longer ago than that, nanoseconds?
    #[must_use]
    pub fn is_older(&self, mnt_ns: u32, age: u64, now: u64) -> bool {
        self.tables.get(&mnt_ns).is_some_and(|known| now.saturating_sub(known.read_at) >= age)
    }

    /// The table of this namespace is to be read again.
    pub fn expire(&mut self, mnt_ns: u32) {
        if let Some(known) = self.tables.get_mut(&mnt_ns) {
            known.read_at = 0;
        }
    }

    /// Remembers a table read at `now` (boot, nanoseconds).
    pub fn insert(&mut self, mnt_ns: u32, table: MountTable, now: u64) {
        if self.tables.insert(mnt_ns, Known { table, read_at: now }).is_none() {
            self.arrivals.push_back(mnt_ns);
        }
        while self.tables.len() > NAMESPACES_MAX
            && let Some(oldest) = self.arrivals.pop_front()
        {
            if oldest == self.host_ns {
                self.arrivals.push_back(oldest);
            } else if self.tables.remove(&oldest).is_some() {
                self.evicted += 1;
            }
        }
    }

    /// Path, as seen in `mnt_ns`, of what lies at `fs_path` below the root of the file system
    /// `device` (the kernel's MKDEV form). None: that file system is not mounted there, as far as
    /// is known.
    #[must_use]
    pub fn resolve(&self, device: u32, fs_path: &str, mnt_ns: u32) -> Option<String> {
        let host = self.tables.get(&self.host_ns).map(|known| &known.table);
        match self.tables.get(&mnt_ns).map(|known| &known.table) {
            Some(table) => table
                .below_overlay(device, fs_path, host)
                .or_else(|| table.locate(device, fs_path))
                // An overlay that has been unmounted since, or a layer of another container.
                .or_else(|| (mnt_ns != self.host_ns).then(|| strip_layer(fs_path))?.map(str::to_owned)),
            None => strip_layer(fs_path)
                .map(str::to_owned)
                .or_else(|| host.and_then(|table| table.locate(device, fs_path))),
        }
    }

    /// Path of the host for a path in `mnt_ns`: of an overlay's file that in its writable layer, which is
    /// there for as long as the container is, whatever becomes of its processes.
    #[must_use]
    pub fn outside(&self, path: &str, mnt_ns: u32) -> Option<String> {
        if mnt_ns == self.host_ns {
            return Some(path.to_owned());
        }
        let table = &self.tables.get(&mnt_ns)?.table;
        if let Some(upper) = table.in_upper(path) {
            return Some(upper);
        }
        let (device, fs_path) = table.place(path)?;
        self.tables.get(&self.host_ns)?.table.locate(device, &fs_path)
    }

    /// A path of the host lies in the scratch directory of an overlay of `mnt_ns`: the file system's
    /// own doing, such as a whiteout on its way to hide a deleted file.
    #[must_use]
    pub fn is_overlay_scratch(&self, path: &str, mnt_ns: u32) -> bool {
        self.tables.get(&mnt_ns).is_some_and(|known| known.table.has_scratch(path))
    }

    /// The same of a path of the host.
    #[must_use]
    pub fn resolve_host(&self, path: &str, mnt_ns: u32) -> Option<String> {
        let host = &self.tables.get(&self.host_ns)?.table;
        let (device, fs_path) = host.place(path)?;
        if mnt_ns == self.host_ns { Some(path.to_owned()) } else { self.resolve(device, &fs_path, mnt_ns) }
    }

    /// The namespace given to [`Mounts::new`].
    #[must_use]
    pub fn host_ns(&self) -> u32 {
        self.host_ns
    }

    /// Namespaces dropped because the cache was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: &str = "5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980";
    const ROOT: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";
    const VDA: u32 = 254 << 20;

    fn mounts() -> Mounts {
        Mounts::new(1, MountTable::parse(ROOT), 0)
    }

    #[test]
    fn a_known_namespace_is_asked_before_a_layout() {
        let mut mounts = mounts();
        let path = format!("/var/lib/docker/overlay2/{LAYER}/diff/tmp/x");
        let upper =
            format!("7 6 0:39 / /merged rw - overlay o rw,upperdir=/var/lib/docker/overlay2/{LAYER}/diff\n");
        assert_eq!(mounts.resolve(VDA, &path, 9).as_deref(), Some("/tmp/x"), "by the layout");
        mounts.insert(9, MountTable::parse(&upper), 0);
        assert_eq!(mounts.resolve(VDA, &path, 9).as_deref(), Some("/merged/tmp/x"), "by the table");
        assert_eq!(mounts.resolve(VDA, &path, 1), Some(path), "the host sees the layer as it lies");
        assert_eq!(mounts.resolve(VDA, "/etc/shadow", 9), None, "not to be seen from there");
        assert_eq!(
            mounts.resolve(VDA, "/etc/shadow", 10).as_deref(),
            Some("/etc/shadow"),
            "unknown: the host's"
        );
    }

    #[test]
    fn tables_grow_stale_but_stay() {
        let mut mounts = mounts();
        assert!(mounts.wants(9, 0) && !mounts.wants(0, 0));
        mounts.insert(9, MountTable::parse("7 6 0:39 / / rw - overlay o rw\n"), 0);
        assert!(!mounts.wants(9, FRESH - 1) && mounts.wants(9, FRESH));
        assert_eq!(mounts.resolve(39, "/x", 9).as_deref(), Some("/x"));
    }

    #[test]
    fn a_file_system_that_is_new_is_missed() {
        let mut mounts = mounts();
        mounts.insert(9, MountTable::parse("7 6 0:39 / / rw - overlay o rw\n"), 50);
        assert!(mounts.knows(39, 9) && mounts.knows(VDA, 9), "its own, and the one below it");
        assert!(!mounts.knows(40, 9) && mounts.is_older(9, 10, 60) && !mounts.is_older(9, 10, 59));
        assert!(!mounts.wants(9, FRESH));
        mounts.expire(9);
        assert!(mounts.wants(9, FRESH));
    }

    #[test]
    fn a_file_of_an_overlay_lies_in_its_upper_layer() {
        let mut mounts = mounts();
        let table = "7 6 0:39 / / rw - overlay o rw,upperdir=/var/u\n8 7 0:40 / /dev rw - tmpfs t rw\n\
                     9 7 254:0 /vol/a /data rw - ext4 /dev/vda rw\n";
        mounts.insert(9, MountTable::parse(table), 0);
        assert_eq!(mounts.outside("/tmp/x", 9).as_deref(), Some("/var/u/tmp/x"));
        assert_eq!(mounts.outside("/data/x", 9).as_deref(), Some("/vol/a/x"), "a volume");
        assert_eq!(mounts.outside("/dev/x", 9), None, "of the container alone");
        assert_eq!(mounts.outside("/x", 1).as_deref(), Some("/x"));
    }

    #[test]
    fn namespaces_are_bounded_and_the_host_stays() {
        let mut mounts = mounts();
        for mnt_ns in (2..).take(NAMESPACES_MAX + 3) {
            mounts.insert(mnt_ns, MountTable::default(), 0);
        }
        assert_eq!((mounts.tables.len(), mounts.evicted()), (NAMESPACES_MAX, 4));
        assert_eq!(mounts.resolve(VDA, "/x", 1).as_deref(), Some("/x"));
    }
}
