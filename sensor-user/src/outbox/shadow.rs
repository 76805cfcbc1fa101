//! How far numbers and receivers came while the disk refused: in the memory of the system (`/run`), so that the next run
//! gives no number twice and knows what receivers lack. A restart of the host takes it away, and so it is no promise.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::disk::cursor_name;
use super::slot::Slots;

/// The file of the last number.
const LAST: &str = "last";

/// What an earlier run left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// The last number that sinks could see.
    pub(super) last: u64,
    /// How far each sink's receiver came.
    pub(super) confirmed: Vec<u64>,
}

/// The files, made when they are needed.
#[derive(Debug)]
pub(super) struct Shadow {
    directory: PathBuf,
    sinks: Vec<String>,
    /// The last number, then each sink's.
    slots: Vec<Slots>,
    is_there: bool,
}

impl Shadow {
    /// That of one agent. Each has an outbox of its own.
    pub(super) fn new(runtime: &Path, agent: Uuid, sinks: &[String]) -> Self {
        let directory = runtime.join(agent.to_string());
        let is_there = directory.exists();
        Self { directory, sinks: sinks.to_vec(), slots: Vec::new(), is_there }
    }

    /// What an earlier run left; none: its disk took everything.
    pub(super) fn left(&mut self) -> Option<Left> {
        if !self.is_there {
            return None;
        }
        let numbers = self.open().ok()?;
        let (last, confirmed) = numbers.split_first()?;
        Some(Left { last: *last, confirmed: confirmed.to_vec() })
    }

    /// Writes down how far all are.
    ///
    /// # Errors
    /// `/run` refuses, too.
    pub(super) fn write(&mut self, last: u64, confirmed: &[u64]) -> io::Result<()> {
        if self.slots.is_empty() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            self.is_there = true;
            self.open()?;
        }
        let numbers = std::iter::once(last).chain(confirmed.iter().copied());
        self.slots.iter_mut().zip(numbers).try_for_each(|(slots, number)| slots.write(number))
    }

    /// The disk has everything.
    pub(super) fn clear(&mut self) {
        if self.is_there {
            self.slots.clear();
            // Should it stay: what it says is never more than what the disk says from now on.
            self.is_there = fs::remove_dir_all(&self.directory).is_err();
        }
    }

    fn open(&mut self) -> io::Result<Vec<u64>> {
        let names = std::iter::once(LAST.to_owned()).chain(self.sinks.iter().map(|sink| cursor_name(sink)));
        let opened: Vec<(Slots, Option<u64>)> =
            names.map(|name| Slots::open(&self.directory.join(name))).collect::<io::Result<_>>()?;
        let (slots, numbers) = opened.into_iter().map(|(slots, number)| (slots, number.unwrap_or(0))).unzip();
        self.slots = slots;
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_knows_what_was_written_until_the_disk_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let sinks = ["a".to_owned(), "b".to_owned()];
        let shadow = || Shadow::new(folder.path(), Uuid::nil(), &sinks);
        assert_eq!(shadow().left(), None);
        let mut first = shadow();
        first.write(7, &[5, 7]).unwrap();
        first.write(9, &[6, 9]).unwrap();
        let mut second = shadow();
        assert_eq!(second.left(), Some(Left { last: 9, confirmed: vec![6, 9] }));
        second.clear();
        assert_eq!(shadow().left(), None);
        second.write(10, &[10, 10]).unwrap();
        assert_eq!(shadow().left(), Some(Left { last: 10, confirmed: vec![10, 10] }));
    }
}
