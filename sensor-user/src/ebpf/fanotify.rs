//! Files as fanotify sees them, for kernels where fentry is refused.
//!
//! A mark on a whole file system tells of what happens to names on it, whoever did it and through whichever
//! mount: those of containers too, on the file system below their overlay, with host paths
//! (`<data root>/overlay2/<layer>/diff/tmp/x`). Joining such a path with a container is not done here.
//! Needs Linux 5.9 (`FAN_REPORT_DFID_NAME`), for renames 5.17 (`FAN_RENAME`), `CAP_SYS_ADMIN` to mark and,
//! for as long as it runs, `CAP_DAC_READ_SEARCH` to open directories by handle. Read it often: nothing here
//! waits.
//!
//! There are three groups with a queue each, so that a flood of one kind leaves the others their room: names
//! (renames, creations, deletions, attributes), closes, and the opening of secrets.
//!
//! What it will not see: file systems mounted after the host's were marked or after a container's first
//! program, and what happened while a queue was full, which is counted. The same thing done again by the same
//! process before it was read is one event (the kernel merges them). Overlayfs itself renames between a
//! layer's `work/work/#<number>` and its `diff`, in the context of the process that made it delete or copy
//! up: told as it is, for the caller to drop.

mod directory;
mod drain;
mod event;
mod opened;
mod record;
mod root;
mod secret;
mod stat;
mod take;
mod trial;
#[cfg(test)]
mod test;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::directory::Directories;
use self::drain::Late;
use self::secret::SecretWatch;
use crate::capture::Capture;
use crate::ebpf::sys;
use crate::keeper;
use crate::state::mount::MountTable;

pub use self::directory::Place;
pub use self::drain::Ask;
pub use self::event::{Deed, Drained, FileEvent, Overflowed, Seen};
pub use self::record::Malformed;
pub use self::root::default_roots;
pub use self::stat::Stat;

/// Bytes read at once: about 500 events. One event needs less than 1 KiB, below which `read`
/// would fail with `EINVAL`.
const BUFFER_BYTES: usize = 64 * 1024;
/// Mount namespaces whose file systems are marked: as many as containers are known.
const NAMESPACES_MAX: usize = 4096;
/// Processes whose roots are looked into again in one turn.
const RESCANS_MAX: usize = 4;

/// Why files are not seen, or not seen everywhere.
#[derive(Debug, thiserror::Error)]
pub enum FanotifyError {
    #[error("this kernel has no such fanotify event: names need Linux 5.9, renames 5.17, CONFIG_FANOTIFY")]
    Unsupported,
    #[error("fanotify is refused: run the agent with CAP_SYS_ADMIN (and CAP_DAC_READ_SEARCH) to see files")]
    NotPermitted,
    #[error("fanotify cannot be set up: {0}")]
    Open(#[source] io::Error),
    #[error("files below {} cannot be watched: {reason}", path.display())]
    Refused { path: PathBuf, reason: String },
    #[error("no file system can be watched: {}", root::list(.0))]
    NothingMarked(Vec<(PathBuf, String)>),
    #[error("left out: `capture.closes` is false")]
    Unwanted,
    #[error("reading fanotify events failed: {0}")]
    Read(#[source] io::Error),
}

/// A group of the kernel and what it is asked for.
struct Group {
    descriptor: OwnedFd,
    mask: u64,
}

/// The groups and the file systems they watch.
pub struct FileWatch {
    names: Option<Group>,
    closes: Option<Group>,
    secrets: Option<SecretWatch>,
    directories: Directories,
    refused: Vec<(PathBuf, String)>,
    buffer: Box<[u8]>,
    capture: Capture,
    /// What the agent does itself (its outbox) is no news.
    own_pid: u32,
    /// `FAN_*` bits of what it did, for a trial.
    own_seen: u64,
    /// What a trial read besides: handed on by the next drain.
    held: Vec<Seen>,
    held_counts: Drained,
    late: Late,
    /// Processes that gave a file the name of a secret.
    rescans: Vec<u32>,
}

impl FileWatch {
    /// Takes up the file system of each root, each once; nothing is watched yet. A root that cannot be used
    /// is kept in [`FileWatch::refused`].
    #[must_use]
    pub fn new(roots: &[PathBuf], capture: &Capture) -> Self {
        let mut watch = Self {
            names: None,
            closes: None,
            secrets: None,
            directories: Directories::default(),
            refused: Vec::new(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            capture: capture.clone(),
            own_pid: std::process::id(),
            own_seen: 0,
            held: Vec::new(),
            held_counts: Drained::default(),
            late: Late::default(),
            rescans: Vec::new(),
        };
        for root in roots {
            if let Err(errno) = watch.directories.add_path(root) {
                watch.refused.push((root.clone(), errno.to_string()));
            }
        }
        watch
    }

    /// Begins to watch for something, on every file system.
    ///
    /// # Errors
    /// When the kernel or its policy refuses it, or when no file system can be watched.
    pub fn enable(&mut self, event: FileEvent) -> Result<(), FanotifyError> {
        match event {
            FileEvent::Open => {
                self.secrets = Some(SecretWatch::open()?);
                return Ok(());
            }
            FileEvent::Close if !self.capture.closes => return Err(FanotifyError::Unwanted),
            FileEvent::Close => {}
            FileEvent::Rename | FileEvent::Create | FileEvent::Delete | FileEvent::Attributes => {}
        }
        let is_close = event == FileEvent::Close;
        let group = if is_close { &mut self.closes } else { &mut self.names };
        if group.is_none() {
            *group = Some(Group::open(is_close)?);
        }
        let Some(group) = group else { return Err(FanotifyError::Unsupported) };
        group.mask |= event.mask();
        let refused = &mut self.refused;
        let marked = self.directories.try_retain(&mut |path, mount| match group.mark(path, mount) {
            Ok(()) => Ok(true),
            Err(FanotifyError::Refused { path, reason }) => {
                refused.push((path, reason));
                Ok(false)
            }
            Err(other) => Err(other),
        });
        if marked.is_err() {
            // Another event, asked for later, must not be refused for this one.
            group.mask &= !event.mask();
        }
        marked?;
        if self.directories.len() == 0 {
            return Err(FanotifyError::NothingMarked(std::mem::take(&mut self.refused)));
        }
        Ok(())
    }

    /// The queues: one that is readable has something to drain.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let groups = [&self.names, &self.closes].into_iter().flatten().map(|group| group.descriptor.as_fd());
        groups.chain(self.secrets.as_ref().map(|secrets| secrets.group.as_fd()))
    }

    /// Watches for it no more.
    pub fn disable(&mut self, event: FileEvent) {
        match event {
            FileEvent::Open => self.secrets = None,
            FileEvent::Close => self.closes = None,
            FileEvent::Rename | FileEvent::Create | FileEvent::Delete | FileEvent::Attributes => {
                let Some(group) = &mut self.names else { return };
                group.mask &= !event.mask();
                // A mark that cannot be taken back tells what nobody reads.
                let _ = self.directories.try_retain(&mut |_, mount| {
                    let flags = libc::FAN_MARK_REMOVE | libc::FAN_MARK_FILESYSTEM;
                    let _ = keeper::mark(group.descriptor.as_fd(), flags, event.mask(), mount);
                    Ok(true)
                });
            }
        }
    }

    /// A process of a mount namespace: its file systems and secrets are taken up when it is the first one
    /// with its root, or when something was mounted since (`is_remounted`). `table` reads what is mounted.
    pub fn enter(
        &mut self,
        mnt_ns: u32,
        pid: u32,
        is_remounted: bool,
        table: impl FnOnce() -> Option<MountTable>,
    ) {
        if self.directories.namespaces() >= NAMESPACES_MAX {
            return;
        }
        let is_new = self.directories.witness(mnt_ns, pid);
        if (is_new || is_remounted)
            && let Some(table) = table()
        {
            self.add_mounts(mnt_ns, pid, &table);
            self.add_secrets(mnt_ns, pid, &table);
        }
    }

    /// Marks the secrets that a process sees. False: it is gone, and nothing was looked for.
    pub fn add_secrets(&mut self, mnt_ns: u32, pid: u32, table: &MountTable) -> bool {
        let Some(secrets) = &mut self.secrets else { return true };
        secrets.add_root(mnt_ns, pid, &self.capture.secrets, table)
    }

    /// Forgets what belongs to mount namespaces that have no process any more.
    pub fn keep(&mut self, is_alive: &dyn Fn(u32) -> bool) {
        self.directories.keep(is_alive);
        if let Some(secrets) = &mut self.secrets {
            secrets.keep(is_alive);
        }
    }

    /// Processes that gave a file the name of a secret since the last call.
    pub fn take_rescans(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.rescans)
    }

    /// What is behind a name by now.
    #[must_use]
    pub fn look_again(&self, place: &Place) -> Option<Stat> {
        self.directories.stat_again(&place.borrow())
    }

    /// The roots given to [`FileWatch::new`] that are not watched, each with the reason.
    #[must_use]
    pub fn refused(&self) -> &[(PathBuf, String)] {
        &self.refused
    }

    /// Is this directory on a file system that is watched?
    #[must_use]
    pub fn watches(&self, path: &Path) -> bool {
        rustix::fs::stat(path).is_ok_and(|stat| self.directories.knows_device(stat.st_dev))
    }
}

impl Group {
    fn open(is_close: bool) -> Result<Self, FanotifyError> {
        // Names and handles instead of open files: nothing is opened on our behalf, so nobody can be
        // made to hold a file. The queue stays bounded: a full one is counted.
        let flags =
            libc::FAN_CLASS_NOTIF | libc::FAN_REPORT_DFID_NAME | libc::FAN_NONBLOCK | libc::FAN_CLOEXEC;
        // What is closed under one name has another soon after: it is asked by its own handle.
        let flags = if is_close { flags | libc::FAN_REPORT_FID } else { flags };
        let event_flags = (libc::O_RDONLY | libc::O_CLOEXEC).unsigned_abs();
        let descriptor =
            sys::fanotify_init(flags, event_flags).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::INVAL | Errno::NOSYS) => FanotifyError::Unsupported,
                Some(Errno::PERM) => FanotifyError::NotPermitted,
                Some(_) | None => FanotifyError::Open(error),
            })?;
        Ok(Self { descriptor, mask: 0 })
    }

    fn mark(&self, path: &Path, mount: BorrowedFd<'_>) -> Result<(), FanotifyError> {
        let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
        // A directory that is renamed makes the paths below it stale.
        let mask = if self.mask & libc::FAN_RENAME == 0 { self.mask } else { self.mask | libc::FAN_ONDIR };
        keeper::mark(self.descriptor.as_fd(), flags, mask, mount).map_err(|error| match Errno::from_io_error(
            &error,
        ) {
            Some(Errno::INVAL) => FanotifyError::Unsupported,
            Some(Errno::PERM) => FanotifyError::NotPermitted,
            Some(_) | None => FanotifyError::Refused { path: path.to_owned(), reason: root::refusal(&error) },
        })
    }
}

/// `CLOCK_BOOTTIME` in nanoseconds: the clock of the kernel half's records.
fn boot_time() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither part is ever negative on this clock.
    now.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(now.tv_nsec.unsigned_abs())
}
