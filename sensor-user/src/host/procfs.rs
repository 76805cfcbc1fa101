//! The inventory: every process alive when the agent starts, as /proc tells.
//!
//! It fills the process table before the first record is read. What /proc cannot tell (the path as
//! invoked) stays unknown.

mod text;

use std::collections::hash_map::Entry;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use sensor_ebpf::wire::FileId;
use sensor_ebpf::wire::text::ARGUMENTS_MAX;

use super::file::{self, FileError};
use super::hierarchy::Hierarchy;
use crate::keeper::{self, Kind};
use crate::octet;
use crate::state::mount::make_device;
use crate::state::process::stream::{Stream, StreamKind, Streams};
use crate::state::process::{Executable, Process, ProcessKey, Session, program};
use text::{Stat, Status};

/// Longest stat, status or cgroup file read, bytes: the longest is cgroup's, a dozen hierarchies
/// with a path each.
const FILE_MAX: u64 = 64 * 1024;

/// Why there is no inventory at all.
#[derive(Debug, thiserror::Error)]
pub enum ProcfsError {
    #[error("/proc cannot be listed: {0}; mount a proc file system of the initial pid namespace there")]
    List(#[from] io::Error),
}

/// A process, and the cgroup path from which its container is identified.
#[derive(Clone, Debug)]
pub struct Found {
    pub process: Process,
    /// Of the v2 hierarchy; where the process sits in its root, of a v1 hierarchy.
    pub cgroup: String,
}

/// What /proc told.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub found: Vec<Found>,
    /// Processes that were refused to the agent (not those that ended meanwhile).
    pub refused: u64,
    /// Processes found whose executable was refused to the agent: it lacks `CAP_SYS_PTRACE`.
    pub without_executable: u64,
}

/// Reads all of /proc.
pub fn inventory() -> Result<Inventory, ProcfsError> {
    let mut inventory = Inventory::default();
    let mut cgroups = CgroupIds::new();
    let mut layers = Layers::default();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        match process(pid, &mut cgroups) {
            Ok(Some((mut found, executable_refused))) => {
                layers.judge(&mut found.process);
                inventory.found.push(found);
                inventory.without_executable += u64::from(executable_refused);
            }
            Ok(None) => {}
            Err(_) => inventory.refused += 1,
        }
    }
    join_parents(&mut inventory.found);
    Ok(inventory)
}

/// Device and inode number of a directory that is a process's root.
pub type Root = (u64, u64);

/// Where a process has its root. None: the process is gone, or the agent may not know.
#[must_use]
pub fn root(pid: u32) -> Option<Root> {
    keeper::root(pid)
}

/// Inode number of a namespace of a process. None: the process is gone, or the agent may not know.
#[must_use]
pub fn namespace(pid: u32, kind: Kind) -> Option<u32> {
    keeper::namespace(pid, kind)
}

pub(crate) fn namespace_in(directory: &Path, kind: &str) -> Option<u32> {
    let link = std::fs::read_link(directory.join("ns").join(kind)).ok()?;
    text::namespace(link.to_str()?)
}

/// The process whose root and mount namespace stand for the host's: process 1, or the agent itself
/// where that one may not be looked at. Not any process of that namespace: a chrooted one shares it. Looked at once, since
/// process 1 is there as long as the host is, and what the agent may do only gets less.
#[must_use]
pub fn host_pid() -> u32 {
    static HOST: OnceLock<u32> = OnceLock::new();
    *HOST.get_or_init(|| if namespace(1, Kind::Mount).is_some() { 1 } else { std::process::id() })
}

/// One process; and whether its executable was refused. None: it is gone, or it has ended and nobody has
/// asked for its status yet.
fn process(pid: u32, cgroups: &mut CgroupIds) -> Result<Option<(Found, bool)>, FileError> {
    let Some(stat) = stat(Path::new(&format!("/proc/{pid}")))? else { return Ok(None) };
    // Files, program and namespaces of a first thread that has ended are gone with it; the others' are
    // the same ones.
    let Some(directory) = live_thread(pid, &stat) else { return Ok(None) };
    let read = |name: &str| file::read_head(&directory.join(name), FILE_MAX);
    let (Some((status, _)), Some((cgroup, _))) = (read("status")?, read("cgroup")?) else { return Ok(None) };
    let Some(status) = Status::parse(&String::from_utf8_lossy(&status)) else { return Ok(None) };
    let Some((arguments, arguments_whole)) =
        file::read_head(&directory.join("cmdline"), ARGUMENTS_MAX as u64)?
    else {
        return Ok(None);
    };
    let words = text::arguments(&arguments);
    let (executable, refused) = match executable(&directory.join("exe")) {
        Ok(executable) => (executable, false),
        Err(error) => (Executable::default(), !file::is_gone(&error)),
    };
    let (cgroup, unified) = text::cgroup(&octet::text(&cgroup));
    let cgroup = cgroups.absolute(cgroup, unified.as_deref());
    let process = Process {
        key: ProcessKey { pid, start_time: stat.start_time },
        // Without its start for now: that stands in the parent's own file.
        parent: (stat.parent != 0).then_some(ProcessKey { pid: stat.parent, start_time: 0 }),
        arguments: words.as_slice().into(),
        arguments_truncated: !arguments_whole,
        command: None,
        session: session(&directory, &stat),
        directory: link(&directory.join("cwd")),
        comm: stat.comm,
        uid: status.uid,
        gid: status.gid,
        effective_uid: status.effective_uid,
        mnt_ns: namespace_in(&directory, "mnt").unwrap_or_default(),
        pid_ns: namespace_in(&directory, "pid_for_children").unwrap_or_default(),
        cgroup_id: unified.map_or(0, |path| cgroups.id(&path)),
        container: None,
        standing: crate::state::standing::Standing::default(),
        exec_time: stat.start_time,
        executable,
    };
    Ok(Some((Found { process: further_named(process, &words).understood(&words), cgroup }, refused)))
}

fn stat(directory: &Path) -> Result<Option<Stat>, FileError> {
    let read = file::read_head(&directory.join("stat"), FILE_MAX)?;
    Ok(read.and_then(|(stat, _)| Stat::parse(&octet::text(&stat))))
}

/// Where /proc tells of a thread that has not ended: the process's own directory most of the time.
fn live_thread(pid: u32, leader: &Stat) -> Option<PathBuf> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    if !leader.is_over {
        return Some(directory);
    }
    let mut threads = std::fs::read_dir(directory.join("task")).ok()?.map_while(Result::ok);
    let is_live = |thread: &PathBuf| stat(thread).is_ok_and(|stat| stat.is_some_and(|stat| !stat.is_over));
    threads.find_map(|thread| Some(thread.path()).filter(is_live))
}

/// What /proc tells of it: not how the program was called, nor its environment.
fn session(directory: &Path, stat: &Stat) -> Session {
    // Absent without CONFIG_AUDIT; then nobody is known to have logged in.
    let login = file::read_head(&directory.join("loginuid"), FILE_MAX).ok().flatten();
    Session {
        login_uid: login.and_then(|(text, _)| text::login_uid(&String::from_utf8_lossy(&text))),
        terminal: stat.terminal.map(|(major, minor)| program::terminal(major, minor)),
        net_ns: namespace_in(directory, "net").unwrap_or_default(),
        user_ns: namespace_in(directory, "user").unwrap_or_default(),
        streams: Streams {
            input: stream(directory, 0),
            output: stream(directory, 1),
            error: stream(directory, 2),
        },
        ..Session::default()
    }
}

/// What a descriptor leads to now: what it led to when the program started, nobody can tell.
fn stream(directory: &Path, descriptor: u8) -> Stream {
    let link = directory.join(format!("fd/{descriptor}"));
    // DONT_SYNC: as of the executable.
    let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::INO;
    match rustix::fs::statx(CWD, &link, AtFlags::STATX_DONT_SYNC, wanted) {
        Ok(stat) => {
            let device = (stat.stx_rdev_major, stat.stx_rdev_minor);
            Stream::new(u32::from(stat.stx_mode), device, stat.stx_ino)
        }
        Err(rustix::io::Errno::NOENT) => Stream { kind: Some(StreamKind::Closed), inode: 0 },
        Err(_) => Stream::default(),
    }
}

/// Gives the names that the arguments tell.
fn further_named(mut process: Process, words: &[String]) -> Process {
    let directory = process.directory.as_deref().unwrap_or_default();
    let executable = &mut process.executable;
    (executable.applet, executable.loaded) = program::further_names(&executable.path, words, directory);
    process
}

/// Gives every parent its start. One that is not in the inventory, or is younger than its child
/// (the pid was used again meanwhile), is none.
fn join_parents(found: &mut [Found]) {
    let starts: FxHashMap<u32, u64> =
        found.iter().map(|found| (found.process.key.pid, found.process.key.start_time)).collect();
    for Found { process, .. } in found {
        process.parent = process.parent.and_then(|parent| {
            let start_time = *starts.get(&parent.pid)?;
            (start_time <= process.key.start_time).then_some(ProcessKey { start_time, ..parent })
        });
    }
}

fn executable(exe: &Path) -> io::Result<Executable> {
    let target = std::fs::read_link(exe)?;
    // DONT_SYNC: what the kernel has at hand, no question to a file system that may not answer.
    let flags = AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(CWD, exe, flags, StatxFlags::INO | StatxFlags::NLINK)?;
    let file = make_device(stat.stx_dev_major, stat.stx_dev_minor).map(|device| FileId {
        inode: stat.stx_ino,
        device,
        generation: 0,
    });
    Ok(text::executable(&octet::text(target.as_os_str().as_bytes()), stat.stx_nlink, file))
}

fn link(path: &Path) -> Option<String> {
    std::fs::read_link(path).ok().map(|target| octet::text(target.as_os_str().as_bytes()))
}

/// Ids of cgroups of the v2 hierarchy by path: the inode number of their directory.
struct CgroupIds {
    hierarchy: Option<Hierarchy>,
    known: FxHashMap<String, u64>,
}

impl CgroupIds {
    fn new() -> Self {
        Self { hierarchy: Hierarchy::read(), known: FxHashMap::default() }
    }

    /// Zero where it cannot be told.
    fn id(&mut self, cgroup: &str) -> u64 {
        let Some(hierarchy) = &self.hierarchy else { return 0 };
        if let Some(id) = self.known.get(cgroup) {
            return *id;
        }
        let metadata = std::fs::metadata(hierarchy.directory(cgroup));
        let id = metadata.map(|metadata| metadata.ino()).unwrap_or_default();
        self.known.insert(cgroup.to_owned(), id);
        id
    }

    /// The path that tells the container, as the host has it, where it is of the v2 hierarchy.
    fn absolute(&self, path: String, unified: Option<&str>) -> String {
        match &self.hierarchy {
            Some(hierarchy) if unified == Some(path.as_str()) => hierarchy.absolute(&path),
            Some(_) | None => path,
        }
    }
}

/// Upper layers of the roots of mount namespaces, as paths of the host.
#[derive(Default)]
struct Layers {
    known: FxHashMap<u32, Option<PathBuf>>,
}

impl Layers {
    /// Says whether the executable lies in the upper layer of its root: it does if it is found there.
    fn judge(&mut self, process: &mut Process) {
        let upper = match self.known.entry(process.mnt_ns) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                // Of one that is gone meanwhile there is no answer: the next of its namespace is asked.
                let Ok(Some(table)) = super::mount::read(process.key.pid) else { return };
                place.insert(table.root_upper().map(PathBuf::from))
            }
        };
        if let Some(upper) = upper {
            process.executable.upper_layer = is_below(upper, &process.executable.path).unwrap_or_default();
        }
    }
}

/// A resolved path exists below a directory. A link on its way is the container's: not followed.
fn is_below(directory: &Path, path: &str) -> rustix::io::Result<bool> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let path = path.trim_start_matches('/');
    rustix::fs::openat2(&directory, path, flags | OFlags::NOFOLLOW, Mode::empty(), resolve).map(|_| true)
}

#[cfg(test)]
mod tests;
