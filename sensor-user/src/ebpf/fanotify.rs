//! Renames as fanotify sees them, for kernels where fentry is refused.
//!
//! A mark on a whole file system tells of every rename on it, whoever did it and through whichever
//! mount: those of containers too, on the file system below their overlay, with host paths
//! (`<data root>/overlay2/<layer>/diff/tmp/x`). Joining such a path with a container is not done
//! here. Needs Linux 5.17 (`FAN_RENAME`), `CAP_SYS_ADMIN` to mark and, for as long as it runs,
//! `CAP_DAC_READ_SEARCH` to open directories by handle. Read it often: nothing here waits.
//!
//! What it will not see: file systems that were not added (a container's own `/dev/shm` and other
//! tmpfs mounts, see [`RenameWatch::add`]), `mv` between file systems (a copy, no rename), hard
//! links, and what happened while the kernel's queue was full, which is counted. The same rename
//! done again by the same process before it was read is one event (the kernel merges them).
//! Overlayfs itself renames between a layer's `work/work/#<number>` and its `diff`, in the context
//! of the process that made it delete or copy up: told as it is, for the caller to drop.

mod directory;
mod record;
#[cfg(test)]
mod test;

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::directory::Directories;
use self::record::{Place, Record, Records};
use crate::ebpf::sys;

pub use self::record::Malformed;

/// Bytes read at once: about 500 events. One event needs less than 1 KiB, below which `read`
/// would fail with `EINVAL`.
const BUFFER_BYTES: usize = 64 * 1024;
/// Reads in one [`RenameWatch::drain`], so that a flood of renames cannot keep the agent's one
/// ordered task from its other records. Beyond it, [`Drained::more`] is set.
const READS_PER_DRAIN_MAX: usize = 16;
/// Where files of the host and of containers usually live, beside `/`.
const USUAL_ROOTS: [&str; 5] =
    ["/tmp", "/dev/shm", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers"];

/// Why renames are not seen, or not seen everywhere.
#[derive(Debug, thiserror::Error)]
pub enum FanotifyError {
    #[error(
        "this kernel has no fanotify that names files: renames need Linux 5.17 or later with CONFIG_FANOTIFY"
    )]
    Unsupported,
    #[error("fanotify is refused: run the agent with CAP_SYS_ADMIN (and CAP_DAC_READ_SEARCH) to see renames")]
    NotPermitted,
    #[error("fanotify cannot be set up: {0}")]
    Open(#[source] io::Error),
    #[error("renames below {} cannot be watched: {reason}", path.display())]
    Refused { path: PathBuf, reason: String },
    #[error("no file system can be watched for renames: {}", list(.0))]
    NothingMarked(Vec<(PathBuf, String)>),
    #[error("reading fanotify events failed: {0}")]
    Read(#[source] io::Error),
}

/// One rename that happened.
///
/// A path without a leading slash is the bare name: its directory was gone before it could be
/// asked for. Bytes that are not UTF-8 are replaced by U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameSeen {
    /// Thread group, in the agent's pid namespace; 0 for a process outside of it.
    pub pid: u32,
    pub from: String,
    pub to: String,
    pub is_directory: bool,
    /// When the event was read (it happened before), `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
}

/// What one [`RenameWatch::drain`] read. All counts are of this drain only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Renames handed on.
    pub events: u64,
    /// Times the kernel's queue (`fs.fanotify.max_queued_events`) was full. Each stands for one
    /// event or more that is lost; the kernel does not say how many.
    pub overflowed: u64,
    /// Renames of the agent itself: not handed on.
    pub own: u64,
    /// Renames handed on with a bare name on one side or both.
    pub unresolved: u64,
    /// Events that could not be read.
    pub malformed: u64,
    /// What was wrong with the first of them.
    pub first_malformed: Option<Malformed>,
    /// The bound of one drain was met: call again without waiting for readiness.
    pub more: bool,
}

/// A fanotify group and the file systems it watches.
pub struct RenameWatch {
    group: OwnedFd,
    directories: Directories,
    refused: Vec<(PathBuf, String)>,
    buffer: Box<[u8]>,
    /// The agent's own renames (its outbox) are no news.
    own_pid: u32,
    /// What [`RenameWatch::has_own`] read besides: handed on by the next drain.
    held: Vec<RenameSeen>,
    held_counts: Drained,
}

impl RenameWatch {
    /// Watches the file system of each root, each once. A root that cannot be watched is kept in
    /// [`RenameWatch::refused`].
    ///
    /// # Errors
    /// When the kernel or its policy refuses fanotify, or when no root can be watched.
    pub fn open(roots: &[PathBuf]) -> Result<Self, FanotifyError> {
        // Names and directory handles instead of open files: nothing is opened on our behalf, so
        // no rename can be made to hold a file. The queue stays bounded: a full one is counted.
        let flags =
            libc::FAN_CLASS_NOTIF | libc::FAN_REPORT_DFID_NAME | libc::FAN_NONBLOCK | libc::FAN_CLOEXEC;
        let event_flags = (libc::O_RDONLY | libc::O_CLOEXEC).unsigned_abs();
        let group =
            sys::fanotify_init(flags, event_flags).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::INVAL | Errno::NOSYS) => FanotifyError::Unsupported,
                Some(Errno::PERM) => FanotifyError::NotPermitted,
                Some(_) | None => FanotifyError::Open(error),
            })?;
        let mut watch = Self {
            group,
            directories: Directories::default(),
            refused: Vec::new(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            own_pid: std::process::id(),
            held: Vec::new(),
            held_counts: Drained::default(),
        };
        let mut marked = false;
        for root in roots {
            match watch.add(root) {
                Ok(_) => marked = true,
                Err(FanotifyError::Refused { path, reason }) => watch.refused.push((path, reason)),
                Err(other) => return Err(other),
            }
        }
        if marked { Ok(watch) } else { Err(FanotifyError::NothingMarked(watch.refused)) }
    }

    /// Watches the file system of one more directory. False: it was watched already.
    ///
    /// A directory of another mount namespace (`/proc/<pid>/root/dev/shm`) may be given: its
    /// renames then carry the paths of that namespace.
    ///
    /// # Errors
    /// [`FanotifyError::Refused`] for this root only; other errors mean that no root can be watched.
    pub fn add(&mut self, path: &Path) -> Result<bool, FanotifyError> {
        let refused = |reason: String| FanotifyError::Refused { path: path.to_owned(), reason };
        let directory = directory::open_directory(path).map_err(|errno| refused(errno.to_string()))?;
        let device = rustix::fs::fstat(&directory).map_err(|errno| refused(errno.to_string()))?.st_dev;
        if self.directories.knows_device(device) {
            return Ok(false);
        }
        let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
        let mask = libc::FAN_RENAME | libc::FAN_ONDIR;
        sys::fanotify_mark(self.group.as_fd(), flags, mask, directory.as_fd()).map_err(|error| {
            match Errno::from_io_error(&error) {
                Some(Errno::INVAL) => FanotifyError::Unsupported,
                Some(Errno::PERM) => FanotifyError::NotPermitted,
                Some(_) | None => refused(refusal(&error)),
            }
        })?;
        self.directories.add(path, directory, device).map_err(|errno| refused(errno.to_string()))?;
        Ok(true)
    }

    /// The roots given to [`RenameWatch::open`] that are not watched, each with the reason.
    #[must_use]
    pub fn refused(&self) -> &[(PathBuf, String)] {
        &self.refused
    }

    /// Reads what the kernel has queued, in its order, and hands each rename to `each`. Never
    /// waits; reads at most 1 MiB, about 8,000 renames.
    ///
    /// # Errors
    /// [`FanotifyError::Read`]: the group is of no use any more.
    pub fn drain(&mut self, each: &mut dyn FnMut(RenameSeen)) -> Result<Drained, FanotifyError> {
        std::mem::take(&mut self.held).into_iter().for_each(&mut *each);
        let held = std::mem::take(&mut self.held_counts);
        self.read(held, each)
    }

    /// Is this directory on a file system that is watched?
    #[must_use]
    pub fn watches(&self, path: &Path) -> bool {
        rustix::fs::stat(path).is_ok_and(|stat| self.directories.knows_device(stat.st_dev))
    }

    /// Does what is queued now hold a rename of the agent's own? Others wait for the next drain.
    /// Reads as much as one drain.
    ///
    /// # Errors
    /// As [`RenameWatch::drain`].
    pub fn has_own(&mut self) -> Result<bool, FanotifyError> {
        let (mut held, counts) = (std::mem::take(&mut self.held), std::mem::take(&mut self.held_counts));
        let before = counts.own;
        let counts = self.read(counts, &mut |seen| held.push(seen));
        self.held = held;
        self.held_counts = counts?;
        Ok(self.held_counts.own > before)
    }

    /// Reads into the counts of a drain.
    fn read(&mut self, counts: Drained, each: &mut dyn FnMut(RenameSeen)) -> Result<Drained, FanotifyError> {
        let mut drained = Drained { more: true, ..counts };
        for _ in 0..READS_PER_DRAIN_MAX {
            let length = match rustix::io::read(&self.group, &mut self.buffer[..]) {
                Ok(length) if length > 0 => length,
                Err(Errno::INTR) => continue,
                Ok(_) | Err(Errno::AGAIN) => {
                    drained.more = false;
                    break;
                }
                Err(errno) => return Err(FanotifyError::Read(errno.into())),
            };
            let time = boot_time();
            for record in Records::new(self.buffer.get(..length).unwrap_or_default()) {
                let seen = take(record, &mut self.directories, self.own_pid, time, &mut drained);
                if let Some(seen) = seen {
                    each(seen);
                }
            }
        }
        Ok(drained)
    }
}

impl AsFd for RenameWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }
}

/// Counts one record, and makes of a rename what is told about it.
fn take(
    record: Result<Record<'_>, Malformed>,
    directories: &mut Directories,
    own_pid: u32,
    time: u64,
    drained: &mut Drained,
) -> Option<RenameSeen> {
    let (pid, is_directory, from, to) = match record {
        Ok(Record::Rename { pid, is_directory, from, to }) => (pid, is_directory, from, to),
        Ok(Record::Overflow) => {
            drained.overflowed += 1;
            // The rename of a directory may be among what is lost.
            directories.forget();
            return None;
        }
        Ok(Record::Other) => return None,
        Err(malformed) => {
            drained.malformed += 1;
            drained.first_malformed.get_or_insert(malformed);
            directories.forget();
            return None;
        }
    };
    drained.own += u64::from(pid == own_pid);
    let seen = (pid != own_pid).then(|| {
        let (old, new) = (directories.path(&from), directories.path(&to));
        drained.events += 1;
        drained.unresolved += u64::from(old.is_none() || new.is_none());
        RenameSeen {
            pid,
            from: join(old.as_deref(), &from),
            to: join(new.as_deref(), &to),
            is_directory,
            time,
        }
    });
    if is_directory {
        directories.forget();
    }
    seen
}

/// The path of `place` in `directory`, or its bare name.
fn join(directory: Option<&str>, place: &Place<'_>) -> String {
    let name = String::from_utf8_lossy(place.name);
    match directory {
        Some("/") => format!("/{name}"),
        Some(directory) => format!("{directory}/{name}"),
        None => name.into_owned(),
    }
}

/// The directories whose file systems hold the files of the host and of its containers, as far as
/// they exist: `/` first, each file system once.
#[must_use]
pub fn default_roots() -> Vec<PathBuf> {
    let mut devices = HashSet::new();
    let roots = std::iter::once("/")
        .chain(USUAL_ROOTS)
        .filter(|root| rustix::fs::stat(*root).is_ok_and(|stat| devices.insert(stat.st_dev)));
    roots.map(PathBuf::from).collect()
}

/// fanotify_mark(2), ERRORS.
fn refusal(error: &io::Error) -> String {
    let known = match Errno::from_io_error(error) {
        Some(Errno::NODEV) => "its file system has no id (fsid)",
        Some(Errno::OPNOTSUPP) => "its file system cannot name directories by handle",
        Some(Errno::XDEV) => "it is a subvolume with an id of its own: add the root of its file system",
        Some(Errno::NOSPC) => "the limit of marks is reached: raise fs.fanotify.max_user_marks",
        Some(_) | None => return error.to_string(),
    };
    known.to_owned()
}

fn list(refused: &[(PathBuf, String)]) -> String {
    if refused.is_empty() {
        return "no directory was given".to_owned();
    }
    let each = refused.iter().map(|(path, reason)| format!("{}: {reason}", path.display()));
    each.collect::<Vec<_>>().join("; ")
}

/// `CLOCK_BOOTTIME` in nanoseconds: the clock of the kernel half's records.
fn boot_time() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither part is ever negative on this clock.
    now.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(now.tv_nsec.unsigned_abs())
}
