//! A number that survives: written in turn to two slots of one small file, so that a write that is cut off leaves the
//! number before.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A slot: generation 8, number 8, CRC-32 of both 4.
const SLOT: usize = 20;
/// Between the slots: they are in different sectors of any disk, and of different pages.
const STRIDE: u64 = 4096;

/// The file.
#[derive(Debug)]
pub(super) struct Slots {
    file: File,
    generation: u64,
}

impl Slots {
    /// Opens or makes the file; the number in it, if one can be read.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let found = [0, STRIDE].into_iter().filter_map(|at| read(&file, at)).max();
        let generation = found.map_or(0, |(generation, _)| generation);
        Ok((Self { file, generation }, found.map(|(_, number)| number)))
    }

    /// Writes the number, not yet to the disk: after a power cut an older one may stand there, which every number here
    /// may be.
    pub(super) fn write(&mut self, number: u64) -> io::Result<()> {
        let generation = self.generation + 1;
        let mut slot = [0; SLOT];
        let (words, sum) = slot.split_at_mut(SLOT - 4);
        let (first, second) = words.split_at_mut(8);
        first.copy_from_slice(&generation.to_le_bytes());
        second.copy_from_slice(&number.to_le_bytes());
        sum.copy_from_slice(&crc32fast::hash(words).to_le_bytes());
        self.file.write_all_at(&slot, if generation.is_multiple_of(2) { 0 } else { STRIDE })?;
        self.generation = generation;
        Ok(())
    }
}

fn read(file: &File, at: u64) -> Option<(u64, u64)> {
    let mut slot = [0; SLOT];
    file.read_exact_at(&mut slot, at).ok()?;
    let (words, sum) = slot.split_at(SLOT - 4);
    let (generation, number) = words.split_first_chunk::<8>()?;
    let is_whole = crc32fast::hash(words).to_le_bytes() == sum;
    is_whole.then_some((u64::from_le_bytes(*generation), u64::from_le_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head");
        let (mut slots, none) = Slots::open(&path).unwrap();
        assert_eq!(none, None);
        for number in [5, 6, 700, 3] {
            slots.write(number).unwrap();
            assert_eq!(Slots::open(&path).unwrap().1, Some(number));
        }
    }

    #[test]
    fn a_damaged_slot_leaves_the_number_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head");
        let (mut slots, _) = Slots::open(&path).unwrap();
        (1..=4).for_each(|number| slots.write(number).unwrap());
        // The fourth is in the first slot.
        slots.file.write_all_at(b"x", 9).unwrap();
        assert_eq!(Slots::open(&path).unwrap().1, Some(3));
        slots.file.write_all_at(b"x", STRIDE + 9).unwrap();
        assert_eq!(Slots::open(&path).unwrap().1, None);
    }
}
