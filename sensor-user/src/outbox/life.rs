//! A mark in the folder that a run is on: a run that finds one of another knows that it did not end in order.
//!
//! Whoever kills the agent as root can take the mark away, too; then what is left is the silence that receivers see.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The mark's name in the folder. What is in it is the boot, when it was written last the time.
const NAME: &str = "run";
/// Changes with every start of the machine (random(4)).
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A run that is on.
#[derive(Debug)]
pub struct Life {
    path: PathBuf,
    boot: String,
}

/// The run before, which did not end in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// When it was last known to live.
    pub last: Timestamp,
    /// The machine has not started anew since.
    pub is_same_boot: bool,
}

impl Life {
    /// Begins a run; returns what the mark of an earlier one says.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn begin(directory: &Path) -> io::Result<(Self, Option<Earlier>)> {
        let path = directory.join(NAME);
        let boot = fs::read_to_string(BOOT).unwrap_or_default().trim().to_owned();
        let earlier = earlier(&path, &boot);
        let life = Self { path, boot };
        life.beat()?;
        Ok((life, earlier))
    }

    /// It goes on.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn beat(&self) -> io::Result<()> {
        fs::write(&self.path, format!("{}\n", self.boot))
    }

    /// It ends in order.
    ///
    /// # Errors
    /// The mark cannot be taken away: the next run takes this one for killed.
    pub fn end(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

fn earlier(path: &Path, boot: &str) -> Option<Earlier> {
    let written = fs::metadata(path).and_then(|mark| mark.modified()).ok()?;
    let last = Timestamp::try_from(written).ok()?;
    // One that was cut short is of this boot: writing it takes no time, starting a machine does.
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_same_boot = text.trim().is_empty() || text.trim() == boot;
    Some(Earlier { last, is_same_boot })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ended_in_order_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (life, earlier) = Life::begin(folder.path()).unwrap();
        assert_eq!(earlier, None);
        life.end().unwrap();
        assert_eq!(Life::begin(folder.path()).unwrap().1, None);
    }

    #[test]
    fn a_run_that_did_not_is_known_with_its_boot() {
        let folder = tempfile::tempdir().unwrap();
        let before = Timestamp::now();
        drop(Life::begin(folder.path()).unwrap());
        let earlier = Life::begin(folder.path()).unwrap().1.unwrap();
        assert!(earlier.is_same_boot);
        assert!(earlier.last.duration_since(before).abs() < jiff::SignedDuration::from_secs(60));
        fs::write(folder.path().join(NAME), "another\n").unwrap();
        assert!(!Life::begin(folder.path()).unwrap().1.unwrap().is_same_boot);
    }
}
