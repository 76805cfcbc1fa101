//! Who wrote which file last, so that a program can be told from one that came with its image. Pure and
//! bounded.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use sensor_ebpf::wire::FileId;

use super::intake::Intake;
use super::process::ProcessKey;

/// Most files remembered: four times those that the kernel half tells once. Beyond it the file that was
/// first written is forgotten, and a program run from it is only known not to be in the image.
const FILES_MAX: usize = 65_536;

/// The last write to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    pub by: ProcessKey,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    device: u32,
}

/// Last writes by inode number: renames keep it, and so does an overlay for a file of its upper layer.
#[derive(Debug, Default)]
pub struct WriterTable {
    writes: FxHashMap<u64, Write>,
    arrivals: VecDeque<u64>,
    evicted: u64,
    /// What writers had from other machines.
    pub intake: Intake,
}

impl WriterTable {
    /// A process wrote to a file.
    pub fn wrote(&mut self, file: FileId, by: ProcessKey, time: u64) {
        let FileId { inode, device, generation: _ } = file;
        if self.writes.insert(inode, Write { by, time, device }).is_none() {
            self.arrivals.push_back(inode);
        }
        while self.writes.len() > FILES_MAX
            && let Some(oldest) = self.arrivals.pop_front()
        {
            if self.writes.remove(&oldest).is_some() {
                self.evicted += 1;
            }
        }
    }

    /// Who wrote the file that a program is run from. `is_upper`: it lies in the upper layer of an overlay,
    /// whose writes may have been seen on the file system below, under the same inode number and another
    /// device.
    #[must_use]
    pub fn of(&self, file: FileId, is_upper: bool) -> Option<Write> {
        self.writes.get(&file.inode).filter(|write| is_upper || write.device == file.device).copied()
    }

    /// Files, and what is known of their writers, forgotten because the tables were full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted + self.intake.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProcessKey = ProcessKey { pid: 1, start_time: 1 };

    fn file(inode: u64, device: u32) -> FileId {
        FileId { inode, device, generation: 0 }
    }

    #[test]
    fn the_last_writer_counts_on_the_device_it_wrote_to() {
        let mut writers = WriterTable::default();
        writers.wrote(file(7, 1), KEY, 10);
        writers.wrote(file(7, 1), ProcessKey { pid: 2, ..KEY }, 20);
        let write = writers.of(file(7, 1), false).unwrap();
        assert_eq!((write.by.pid, write.time), (2, 20));
        assert_eq!(writers.of(file(7, 9), false), None, "another file system");
        assert!(writers.of(file(7, 9), true).is_some(), "an overlay above it");
        assert_eq!(writers.of(file(8, 1), true), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut writers = WriterTable::default();
        for inode in 0..FILES_MAX as u64 + 9 {
            writers.wrote(file(inode, 1), KEY, 0);
        }
        assert_eq!((writers.writes.len(), writers.evicted()), (FILES_MAX, 9));
        assert!(writers.of(file(0, 1), false).is_none());
    }
}
