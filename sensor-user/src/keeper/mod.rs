//! What needs privilege while the agent runs, as a closed list of deeds: done by a small process of its own, the keeper,
//! once there is one, and here until then (and for `check`, which has none).
//!
//! The agent reads what attackers write, so it has no capability. The keeper has a few, reads next to nothing, has no
//! network, and does what is listed here: it opens a folder, a runtime's state, a passwd; it tells a number; it marks
//! a file; it attaches one of the sensor's own programs again. It never hands out the content of any other file. `serve.rs` has the rules it judges questions by.

mod here;
mod hook;
mod link;
mod message;
mod serve;
mod watch;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use hook::{LoadedProgram, Own, attach, cgroup_programs, give_back, programs};
pub use link::{Direct, Link, Terms};
pub use serve::serve;
pub use watch::{FileKey, by_handles, mark, mark_files, opened, stat_of_name};

use crate::host::procfs::Root;
use link::{Lane, link};
use message::{Deed, Message};

/// The hidden sub-command.
pub const COMMAND: &str = "keeper";

/// Why there is no keeper, so no agent.
#[derive(Debug, Error)]
pub enum KeeperError {
    #[error("the process that keeps the privileges (`tidewaiter keeper`) does not start: {0}")]
    Start(io::Error),
    #[error("the process that keeps the privileges (`tidewaiter keeper`) has ended: {0}")]
    Gone(io::Error),
    #[error("the process that keeps the privileges (`tidewaiter keeper`) cannot give up the others: {0}")]
    Refused(String),
    #[error("there are two processes that keep the privileges")]
    Twice,
    #[error(
        "the process that keeps the privileges (`tidewaiter keeper`) has ended, and without it containers cannot be told apart"
    )]
    Died,
}

impl KeeperError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Start(_) => {
                "mount /proc, and raise the limits of processes and open files (`ulimit -u`, `ulimit -n`)"
            }
            Self::Gone(_) | Self::Refused(_) => {
                "allow capset(2), prctl(2) and seccomp(2) where a container or a service manager filters system calls"
            }
            Self::Twice => "start it again; where it comes back it is a mistake of the sensor: report it",
            Self::Died => "start the sensor again, and look in the kernel's log for who ended that process",
        }
    }
}

/// A kind of namespace that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Mount,
    PidForChildren,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Mount, Self::PidForChildren];

    fn name(self) -> &'static str {
        match self {
            Self::Mount => "mnt",
            Self::PidForChildren => "pid_for_children",
        }
    }
}

/// What of a runtime's state is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    File,
    Folder,
    /// Only to look at its own facts, not into it.
    Place,
}

impl What {
    const ALL: [Self; 3] = [Self::File, Self::Folder, Self::Place];
}

/// Where a runtime keeps its state.
#[derive(Clone, Copy, Debug)]
pub enum Home<'a> {
    /// A folder of root's.
    Host(&'a Path),
    /// A user's folder, and the way from there.
    User(BorrowedFd<'a>, &'a Path),
}

/// A folder of a runtime that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Docker(PathBuf),
    Containerd(PathBuf),
}

/// Whether somebody else does what is asked for.
#[must_use]
pub fn is_kept() -> bool {
    link().is_some()
}

/// The keeper's process, whose own deeds are no news.
#[must_use]
pub fn pid() -> Option<u32> {
    link().map(Link::pid)
}

/// Number of a namespace of a process. None: it is gone, or may not be looked at.
#[must_use]
pub fn namespace(pid: u32, kind: Kind) -> Option<u32> {
    let Some(link) = link() else { return here::namespace(pid, kind) };
    let question = Message::ask(Deed::Namespace).numbers([u64::from(pid), place(&Kind::ALL, &kind)]);
    let (answer, _) = link.ask(Lane::Loop, &question, &[]).ok()?;
    Some(answer.small(0)).filter(|number| *number != 0)
}

/// Where a process has its root.
#[must_use]
pub fn root(pid: u32) -> Option<Root> {
    let Some(link) = link() else { return here::root(pid) };
    let question = Message::ask(Deed::Root).numbers([u64::from(pid)]);
    let (answer, _) = link.ask(Lane::Loop, &question, &[]).ok()?;
    Some((answer.number(0), answer.number(1)))
}

/// The root of a process, to be handed back with questions about what is below.
///
/// # Errors
/// The process is gone.
pub fn root_folder(pid: u32) -> io::Result<OwnedFd> {
    let Some(link) = link() else { return here::root_folder(pid) };
    link.ask_open(Lane::Loop, &Message::ask(Deed::RootFolder).numbers([u64::from(pid)]), &[])
}

/// A folder below such a root, by the links in it.
///
/// # Errors
/// It is not there.
pub fn folder(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let Some(link) = link() else { return here::folder(root, path) };
    if let Some(error) = here::absent(root, path) {
        return Err(error);
    }
    link.ask_open(Lane::Loop, &Message::ask(Deed::Folder).text(path.as_os_str().as_bytes()), &[root])
}

/// `etc/passwd` below such a root; `is_confined`: not in another mount.
///
/// # Errors
/// It is not there.
pub fn passwd(root: BorrowedFd<'_>, is_confined: bool) -> io::Result<OwnedFd> {
    let Some(link) = link() else { return here::passwd(root, is_confined) };
    link.ask_open(Lane::Loop, &Message::ask(Deed::Passwd).numbers([u64::from(is_confined)]), &[root])
}

/// Bytes of a regular file at a path without links.
#[must_use]
pub fn size(path: &Path) -> Option<u64> {
    let Some(link) = link() else { return here::size(path) };
    let question = Message::ask(Deed::Size).text(path.as_os_str().as_bytes());
    let (answer, _) = link.ask(Lane::Loop, &question, &[]).ok()?;
    Some(answer.number(0))
}

/// A runtime's state: a file or folder at `path` below where it keeps that.
///
/// # Errors
/// It is not there, or is none of a runtime's.
pub fn state(home: Home<'_>, path: &Path, what: What) -> io::Result<OwnedFd> {
    match (home, link()) {
        (Home::Host(root), None) => here::state(root, path, what),
        (Home::User(folder, way), None) => here::state_of_user(folder, way, path, what),
        (Home::Host(root), Some(link)) => state_of_host(link, root, path, what),
        (Home::User(folder, way), Some(link)) => {
            link.ask_open(Lane::Files, &question(Deed::StateOfUser, way, path, what), &[folder])
        }
    }
}

/// Asks for nothing that can be had without: what the agent may open itself, and what is not there at all.
fn state_of_host(link: &Link, root: &Path, path: &Path, what: What) -> io::Result<OwnedFd> {
    let is_direct = link.is_direct(root, what);
    let own = here::state(root, path, if is_direct { what } else { What::Place });
    match own {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        Ok(open) if is_direct => Ok(open),
        // The agent is not root, or the folder not root's: the keeper sees more.
        Ok(_) | Err(_) => link.ask_open(Lane::Files, &question(Deed::State, root, path, what), &[]),
    }
}

fn question(deed: Deed, way: &Path, path: &Path, what: What) -> Message {
    let text = |path: &Path| path.as_os_str().as_bytes().to_vec();
    Message::ask(deed).numbers([place(&What::ALL, &what)]).text(text(way)).text(text(path))
}

/// Folders of the runtimes that run now; `search` looks for them where there is no keeper.
pub fn discover(search: impl FnOnce() -> Vec<Found>) -> Vec<Found> {
    let Some(link) = link() else { return search() };
    let Ok((answer, _)) = link.ask(Lane::Slow, &Message::ask(Deed::Discover), &[]) else {
        return Vec::new();
    };
    let path = |bytes: &Vec<u8>| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    let kinds = answer.numbers.iter().zip(&answer.texts);
    kinds
        .map(
            |(kind, text)| if *kind == 0 { Found::Docker(path(text)) } else { Found::Containerd(path(text)) },
        )
        .collect()
}

/// Runs the canary of this number to its end.
///
/// # Errors
/// It does not start, or fails.
pub fn canary(nonce: &str) -> io::Result<()> {
    let Some(link) = link() else { return here::canary(nonce) };
    link.ask(Lane::Slow, &Message::ask(Deed::Canary).text(nonce), &[]).map(drop)
}

/// Where a value stands among all.
fn place<T: PartialEq>(all: &[T], value: &T) -> u64 {
    all.iter().position(|one| one == value).and_then(|at| u64::try_from(at).ok()).unwrap_or(u64::MAX)
}
