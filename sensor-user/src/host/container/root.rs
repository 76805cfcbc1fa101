//! A runtime's directory, and how far what lies in it may be trusted.
//!
//! Root's directories are read as they are, but for links below them, which are not followed: what containers write lies
//! below some. A user's (rootless runtimes) are the user's to fill: what is read there stays below them, whatever links
//! say, and off whatever is mounted there.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, Stat, fstat};
use serde::de::DeserializeOwned;

use super::ContainerError;
use crate::host::file;
use crate::keeper::{self, Home, What};

/// Most entries of one directory looked at. A runtime's directory of containers has one for each.
const ENTRIES_MAX: usize = 8_192;

/// A directory of a runtime.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    /// The user's own directory that all reading stays below, and the way from there.
    confined: Option<(OwnedFd, PathBuf)>,
}

/// What changes when a file or directory does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
}

impl Root {
    /// Root's.
    pub(super) fn of_host(path: &Path) -> Self {
        Self { path: path.to_owned(), confined: None }
    }

    /// `way` below `home`, a directory of the user `uid`. None: it is not there, or not that user's.
    pub(super) fn of_user(home: &Path, way: &str, uid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(home, flags, Mode::empty()).ok()?;
        let is_theirs = fstat(&directory).is_ok_and(|stat| stat.st_uid == uid);
        is_theirs.then(|| Self { path: home.join(way), confined: Some((directory, PathBuf::from(way))) })
    }

    pub(super) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// A whole file, at most `max` bytes. None: it is not there.
    pub(super) fn read(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>, ContainerError> {
        Ok(file::read_opened(self.open(path, What::File), &self.path.join(path), max)?)
    }

    fn open(&self, path: &Path, what: What) -> io::Result<OwnedFd> {
        let home = match &self.confined {
            None => Home::Host(&self.path),
            Some((directory, way)) => Home::User(directory.as_fd(), way),
        };
        keeper::state(home, path, what)
    }

    /// A JSON file. None: it is not there.
    pub(super) fn read_json<T: DeserializeOwned>(
        &self,
        path: &Path,
        max: u64,
    ) -> Result<Option<T>, ContainerError> {
        let Some(bytes) = self.read(path, max)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => {
                Err(ContainerError::Malformed { path: self.path.join(path), reason: reason.to_string() })
            }
        }
    }

    /// Changes when the file or directory does. None: it is not there.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        let opened = self.open(path, What::Place).ok()?;
        fstat(opened).ok().map(|stat| Stamp::from(&stat))
    }

    /// Names in a directory, in its own order, at most `max`. None at all if it is not there.
    pub(super) fn names(&self, path: &Path, max: usize) -> Vec<String> {
        let opened = self.open(path, What::Folder);
        let Some(entries) = opened.ok().and_then(|opened| Dir::new(opened).ok()) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| name != "." && name != "..").take(max.min(ENTRIES_MAX)).collect()
    }
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
        }
    }
}
