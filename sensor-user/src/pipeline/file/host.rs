//! Files as fanotify tells of them, with paths of the host, where fentry is refused.

use std::sync::Arc;

use super::super::{Host, Pipeline};
use crate::event::field::Category;
use crate::event::{Body, FileAction, FileChange};
use crate::state::process::Process;

/// A write that is this young was done by whoever closes the file now, nanoseconds.
const YOUNG: u64 = 1_000_000_000;
/// An executable file that is younger than this was made executable by whoever changes it now, as far as can
/// be told: chmod and chown look the same. Nanoseconds.
const FRESH: u64 = 600 * 1_000_000_000;

/// Something that was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub pid: u32,
    pub deed: HostDeed,
}

/// What was done. Paths are the host's, but a secret's, which is as its process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostDeed {
    Renamed {
        from: String,
        to: String,
        stat: Option<HostStat>,
    },
    Created {
        path: String,
        stat: Option<HostStat>,
    },
    Closed {
        path: String,
        stat: Option<HostStat>,
    },
    /// Its mode, owner, times or links.
    Changed {
        path: String,
        stat: Option<HostStat>,
    },
    Deleted {
        path: String,
    },
    Opened {
        path: String,
    },
}

/// What the file is a moment later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStat {
    pub inode: u64,
    pub size: u64,
    pub links: u32,
    pub is_regular: bool,
    pub is_executable: bool,
    /// An overlay's mark for a deleted file.
    pub is_whiteout: bool,
    /// How long ago its content changed, and it was made, nanoseconds.
    pub changed: u64,
    pub born: Option<u64>,
}

impl HostStat {
    /// When it was made, of a look at `time`.
    fn born_at(&self, time: u64) -> Option<u64> {
        self.born.map(|ago| time.saturating_sub(ago))
    }
}

impl Pipeline {
    /// Is there a rule or a story that wants to know what this process does to files, or to a secret? Asked
    /// before more is found out about it.
    pub fn wants_files_of(&mut self, pid: u32, is_secret: bool) -> bool {
        // By number alone: fanotify does not tell the start, and whoever has the pid now did it.
        let Some(process) = self.processes.get_by_pid(pid, 0) else {
            self.passed.unknown_process += 1;
            return false;
        };
        let category = if is_secret { Category::FileAccess } else { Category::FileEvent };
        self.wants(category, process.key)
    }

    /// Handles what fanotify saw.
    pub fn host_file(&mut self, file: HostFile, host: &mut impl Host) {
        let HostFile { time, pid, deed } = file;
        let Some(process) = self.processes.get_by_pid(pid, 0) else {
            self.passed.unknown_process += 1;
            return;
        };
        match deed {
            HostDeed::Renamed { from, to, stat } => self.host_renamed(time, &process, [from, to], stat, host),
            HostDeed::Created { path, stat } => self.host_created(time, &process, path, stat, host),
            HostDeed::Closed { path, stat } => self.host_closed(time, &process, path, stat, host),
            HostDeed::Changed { path, stat } => self.host_changed(time, &process, path, stat, host),
            HostDeed::Deleted { path } => self.tell(time, &process, FileAction::Delete, path, None, host),
            HostDeed::Opened { path } => {
                let change = FileChange { action: FileAction::Read, path, ..FileChange::default() };
                self.event(time, process.key, Body::FileEvent(change), host);
            }
        }
    }

    fn host_renamed(
        &mut self,
        time: u64,
        process: &Process,
        [from, to]: [String; 2],
        stat: Option<HostStat>,
        host: &mut impl Host,
    ) {
        let mnt_ns = process.mnt_ns;
        let mut seen = |path: &str| {
            host.path_of_host(path, mnt_ns, process.key.pid, time).unwrap_or_else(|| path.to_owned())
        };
        let (seen_from, path) = (Some(seen(&from)), seen(&to));
        let is_scratch = |path: &str| host.is_overlay_scratch(path, mnt_ns);
        if is_scratch(&from) || is_scratch(&to) {
            // An overlay deletes what lies in a lower layer by hiding it.
            if stat.is_some_and(|stat| stat.is_whiteout) && !is_scratch(&to) {
                let change = FileChange { action: FileAction::Delete, path, ..FileChange::default() };
                self.event(time, process.key, Body::FileEvent(change), host);
            }
            return;
        }
        let from = seen_from;
        let change = FileChange { action: FileAction::Rename, path, from, ..FileChange::default() };
        self.event(time, process.key, Body::FileEvent(change), host);
    }

    /// A new name. One that has content already was written in the same moment, which on tmpfs the other
    /// witness cannot tell from the creation.
    fn host_created(
        &mut self,
        time: u64,
        process: &Arc<Process>,
        path: String,
        stat: Option<HostStat>,
        host: &mut impl Host,
    ) {
        let Some(stat) = stat.filter(|stat| stat.is_regular) else { return };
        if stat.links > 1 {
            self.tell(time, process, FileAction::Link, path, Some(stat), host);
            return;
        }
        if stat.size == 0 {
            self.files.mode(stat.inode, stat.is_executable, time, stat.born_at(time));
            self.tell(time, process, FileAction::Open, path, Some(stat), host);
        } else if self.files.wrote(process.key, stat.inode, time) {
            self.tell(time, process, FileAction::Write, path, Some(stat), host);
        }
    }

    fn host_closed(
        &mut self,
        time: u64,
        process: &Arc<Process>,
        path: String,
        stat: Option<HostStat>,
        host: &mut impl Host,
    ) {
        let Some(stat) = stat else {
            // It is gone, and nobody knows what was in it.
            return;
        };
        // Whoever opens a file to write and does not, right after another wrote it, passes for a writer: the
        // file's time is all there is to tell by.
        if !self.files.has_written(process.key, stat.inode, time) {
            if stat.size == 0 || stat.changed > YOUNG {
                return;
            }
            self.files.wrote(process.key, stat.inode, time);
            self.tell(time, process, FileAction::Write, path.clone(), Some(stat), host);
        }
        self.tell(time, process, FileAction::Close, path, Some(stat), host);
    }

    fn host_changed(
        &mut self,
        time: u64,
        process: &Arc<Process>,
        path: String,
        stat: Option<HostStat>,
        host: &mut impl Host,
    ) {
        let Some(stat) = stat.filter(|stat| stat.is_regular) else { return };
        let before = self.files.mode(stat.inode, stat.is_executable, time, stat.born_at(time));
        let is_fresh = stat.born.is_none_or(|born| born < FRESH);
        if stat.is_executable && (before == Some(false) || before.is_none() && is_fresh) {
            self.tell(time, process, FileAction::Mode, path, Some(stat), host);
        }
    }

    /// Under the name that the process knows, unless it is an overlay's own.
    fn tell(
        &mut self,
        time: u64,
        process: &Process,
        action: FileAction,
        path: String,
        stat: Option<HostStat>,
        host: &mut impl Host,
    ) {
        let seen = host.path_of_host(&path, process.mnt_ns, process.key.pid, time);
        if host.is_overlay_scratch(&path, process.mnt_ns) {
            return;
        }
        let path = seen.unwrap_or(path);
        let size = stat.map(|stat| stat.size);
        let change = FileChange { action, path, size, ..FileChange::default() };
        self.event(time, process.key, Body::FileEvent(change), host);
    }
}
