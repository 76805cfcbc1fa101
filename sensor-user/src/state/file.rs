//! What was told of files lately, for where two witnesses see the same deed: the ring's records and fanotify.
//! Pure; a full table is emptied, after which a deed may be told twice and nothing is lost.

use rustc_hash::FxHashMap;

use super::process::ProcessKey;

/// Most writes remembered: as many as the kernel half does.
const WRITES_MAX: usize = 16_384;
/// Most modes remembered.
const MODES_MAX: usize = 16_384;
/// How long a write by the same process to the same file is not told again, nanoseconds: as in the kernel half.
const WRITE_WINDOW: u64 = 30 * 1_000_000_000;

/// Files by inode number. Two of different file systems may share one; then a write may go untold that
/// the other witness did not see either.
#[derive(Debug, Default)]
pub struct FileTable {
    writes: FxHashMap<(ProcessKey, u64), u64>,
    executable: FxHashMap<u64, Mode>,
}

/// Whether a file was executable when it was looked at last, `CLOCK_BOOTTIME` nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Mode {
    is_executable: bool,
    time: u64,
}

impl FileTable {
    /// A process wrote to a file, `time` is boot time in nanoseconds. False: that was told lately.
    pub fn wrote(&mut self, process: ProcessKey, inode: u64, time: u64) -> bool {
        if self.has_written(process, inode, time) {
            return false;
        }
        if self.writes.len() >= WRITES_MAX {
            self.writes.clear();
        }
        self.writes.insert((process, inode), time);
        true
    }

    /// Was a write by this process to this file told lately?
    #[must_use]
    pub fn has_written(&self, process: ProcessKey, inode: u64, time: u64) -> bool {
        let told = self.writes.get(&(process, inode));
        told.is_some_and(|told| time.saturating_sub(*told) < WRITE_WINDOW)
    }

    /// At `time` a file is executable, or not. Returns what it was before, where that is known. It was `born`; what was
    /// known before that was of another file, whose number it has.
    pub fn mode(&mut self, inode: u64, is_executable: bool, time: u64, born: Option<u64>) -> Option<bool> {
        if self.executable.len() >= MODES_MAX {
            self.executable.clear();
        }
        let before = self.executable.insert(inode, Mode { is_executable, time })?;
        born.is_none_or(|born| born <= before.time).then_some(before.is_executable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProcessKey = ProcessKey { pid: 1, start_time: 1 };

    #[test]
    fn a_write_is_told_once_in_its_window() {
        let mut files = FileTable::default();
        assert!(files.wrote(KEY, 7, 0));
        assert!(!files.wrote(KEY, 7, WRITE_WINDOW - 1));
        assert!(files.wrote(KEY, 8, 1), "another file");
        assert!(files.wrote(ProcessKey { pid: 2, ..KEY }, 7, 1), "another process");
        assert!(files.wrote(KEY, 7, WRITE_WINDOW), "later");
    }

    #[test]
    fn tables_stay_within_their_bounds() {
        let mut files = FileTable::default();
        for inode in 0..40_000 {
            files.wrote(KEY, inode, 0);
            files.mode(inode, true, 0, None);
        }
        assert!(files.writes.len() <= WRITES_MAX && files.executable.len() <= MODES_MAX);
        assert_eq!(files.mode(39_999, false, 0, None), Some(true));
        assert_eq!(files.mode(39_999, false, 0, None), Some(false));
    }
    #[test]
    fn a_number_that_is_used_again_is_another_file() {
        let mut files = FileTable::default();
        assert_eq!(files.mode(7, true, 100, Some(90)), None);
        assert_eq!(files.mode(7, true, 200, Some(90)), Some(true), "the same");
        assert_eq!(files.mode(7, true, 400, Some(300)), None, "made since");
        assert_eq!(files.mode(7, false, 500, Some(300)), Some(true));
    }
}
