//! The keeper: what it does for the agent, and what it refuses.
//!
//! It trusts no question: the agent may be somebody else's by now. Every deed has a rule here, and beyond these rules the
//! keeper's own list of system calls stands (`privilege/call.rs`): it cannot load a program into the kernel, open a socket
//! or write a file.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, set_name};
use uuid::Uuid;

use super::link::Terms;
use super::message::{Deed, MESSAGE_MAX, Message, receive, send};
use super::{Found, Kind, Own, What, here, hook, watch};
use crate::ebpf::sys;
use crate::host::container::{USER_WAYS, running_runtimes};
use crate::privilege::{self, Part, PrivilegeError};

/// What `ps -e` shows.
const NAME: &CStr = c"tidewaiter-keep";
/// The threads besides the first, as the agent names its lines (`Lane`).
const THREADS: [&str; 2] = ["files", "slow"];
/// Longest path that is looked at, bytes (`PATH_MAX`, limits.h of Linux).
const PATH_MAX: usize = 4096;
/// Most folders of runtimes known: the configured ones, and some for each runtime that runs.
const ROOTS_MAX: usize = 1024;
/// Names of the files that tell who a container is (`host/container/`).
const FILES: [&str; 8] = [
    "config.v2.json",
    "hostconfig.json",
    "config.json",
    "repositories.json",
    "containers.json",
    "images.json",
    "state.json",
    "status",
];
/// Whom it becomes: a number of a range that nobody gives out (systemd's "Users, Groups, UIDs and GIDs", 1879048192 to
/// 2147483647), since processes of one user may end each other. So it owns nothing, and can write what all can write.
const USER: u32 = 2_000_000_033;
/// What it has while the agent runs.
const KEPT: CapabilitySet = CapabilitySet::SYS_PTRACE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::BPF)
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::NET_ADMIN);

/// An answer, or why there is none.
type Answer = io::Result<(Message, Vec<OwnedFd>)>;

/// What it knows.
#[derive(Default)]
struct Keeper {
    /// Folders of root's runtimes.
    roots: Mutex<Vec<PathBuf>>,
    /// What may be attached again, and where.
    own: OnceLock<Own>,
}

/// Serves the agent at the other end of standard input, until that is gone.
#[must_use]
pub fn serve() -> ExitCode {
    // The agent decides when it is over: whoever ends both at once must not take its eyes before it has told the rest.
    sys::ignore_endings();
    // It was started as /proc/self/exe, and would be called so. Without the name it does the same.
    let _ = set_name(NAME);
    let stdin = io::stdin();
    let keeper = Keeper::default();
    let mut buffer = vec![0; MESSAGE_MAX];
    let others = match receive(stdin.as_fd(), &mut buffer) {
        Ok(Some((question, descriptors))) => match keeper.begin(&question) {
            Ok(()) => descriptors,
            Err(error) => {
                // Who does not hear it sees that the keeper is gone.
                let _ = send(stdin.as_fd(), &refusal(&error.to_string()), &[]);
                return ExitCode::from(2);
            }
        },
        // Not started by an agent, or it ended while it started.
        Ok(None) | Err(_) => return ExitCode::from(2),
    };
    std::thread::scope(|scope| {
        let keeper = &keeper;
        let start = |(name, socket): (&str, OwnedFd)| {
            let body = move || keeper.answer_all(socket.as_fd(), &mut vec![0; MESSAGE_MAX]);
            std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, body).is_ok()
        };
        let started = THREADS.into_iter().zip(others).map(start).filter(|is_started| *is_started).count();
        let answer = match privilege::forbid(Part::Keeper) {
            Ok(_) if started == THREADS.len() => Message::default(),
            Ok(_) => refusal("it has no further threads"),
            Err(error) => refusal(&error.to_string()),
        };
        if send(stdin.as_fd(), &answer, &[]).is_ok() && answer.error == 0 {
            keeper.answer_all(stdin.as_fd(), &mut buffer);
        }
        // The other threads wait for questions that nobody asks any more.
        std::process::exit(if answer.error == 0 { 0 } else { 2 })
    })
}

fn refusal(reason: &str) -> Message {
    Message { error: Errno::PERM.raw_os_error(), ..Message::default() }.text(reason)
}

impl Keeper {
    /// Takes over what is known of runtimes, and gives up what is not needed.
    fn begin(&self, question: &Message) -> Result<(), PrivilegeError> {
        if question.deed() != Deed::Begin {
            return Err(PrivilegeError::Calls(
                "the first question must be which privileges are needed".to_owned(),
            ));
        }
        let Terms { wants_files, roots, own } = Terms::of(question);
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(roots.iter().take(ROOTS_MAX).map(|text| path(text).to_owned()));
        self.own.get_or_init(|| own);
        // Who may not run the binary could not run the canary.
        let is_open = std::fs::metadata("/proc/self/exe").is_ok_and(|binary| binary.mode() & 1 == 1);
        let kept = if wants_files { KEPT | CapabilitySet::SYS_ADMIN } else { KEPT };
        privilege::keep(kept, is_open.then_some(USER))
    }

    /// Until nobody asks any more.
    fn answer_all(&self, socket: BorrowedFd<'_>, buffer: &mut [u8]) {
        loop {
            let (question, descriptors) = match receive(socket, buffer) {
                Ok(Some(question)) => question,
                Ok(None) => return,
                // Of one that makes no sense the answer says so: the agent waits for one.
                Err(error) if error.raw_os_error() == Some(Errno::BADMSG.raw_os_error()) => {
                    (Message::default(), Vec::new())
                }
                Err(_) => return,
            };
            let (answer, beside) = match self.answer(&question, &descriptors) {
                Ok((answer, beside)) => (answer, beside),
                Err(error) => {
                    let number = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
                    (Message { error: number, ..Message::default() }, Vec::new())
                }
            };
            let beside: Vec<BorrowedFd<'_>> = beside.iter().map(OwnedFd::as_fd).collect();
            if send(socket, &answer, &beside).is_err() {
                return;
            }
        }
    }

    fn answer(&self, question: &Message, beside: &[OwnedFd]) -> Answer {
        let none = Message::default;
        let open = |file: OwnedFd| Ok((none(), vec![file]));
        let numbers = |numbers: &[u64]| Ok((none().numbers(numbers.iter().copied()), Vec::new()));
        let pid = question.small(0);
        match question.deed() {
            Deed::Namespace => {
                let kind = nth(&Kind::ALL, question.number(1))?;
                let number = here::namespace(some(pid)?, kind).ok_or(Errno::SRCH)?;
                numbers(&[number.into()])
            }
            Deed::Root => {
                let (device, inode) = here::root(some(pid)?).ok_or(Errno::SRCH)?;
                numbers(&[device, inode])
            }
            Deed::RootFolder => open(here::root_folder(some(pid)?)?),
            Deed::Folder => open(here::folder(folder(beside, 0)?, named(question.bytes(0))?)?),
            Deed::Passwd => open(here::passwd(folder(beside, 0)?, question.number(0) != 0)?),
            Deed::Size => numbers(&[here::size(named(question.bytes(0))?).ok_or(Errno::NOENT)?]),
            Deed::State => open(self.state(question)?),
            Deed::StateOfUser => open(state_of_user(question, beside)?),
            Deed::Discover => Ok((self.discover(), Vec::new())),
            Deed::Canary => {
                // Nothing but a number is an argument of the one program that is ever run.
                let nonce = Uuid::try_parse_ascii(question.bytes(0)).map_err(|_| Errno::INVAL)?;
                here::canary(&nonce.to_string())?;
                Ok((none(), Vec::new()))
            }
            Deed::Mark => {
                let (flags, mask) = (question.small(0), question.number(1));
                watch::may_mark(flags)?;
                sys::fanotify_mark(any(beside, 0)?, flags, mask, folder(beside, 1)?)?;
                Ok((none(), Vec::new()))
            }
            Deed::MarkFiles => {
                let (group, root) = (any(beside, 0)?, folder(beside, 1)?);
                let most = usize::try_from(question.number(0)).unwrap_or(usize::MAX);
                let paths = question.texts.iter().map(|text| named(text)).collect::<io::Result<Vec<_>>>()?;
                let marked = watch::mark_files_here(group, root, &paths, most);
                Ok((none().numbers(watch::rows_of_marked(&marked)), Vec::new()))
            }
            Deed::ByHandles => {
                let (places, opened) = watch::by_handles_here(any(beside, 0)?, question);
                Ok((none().numbers(places), opened))
            }
            Deed::Name => {
                let name = question.bytes(0);
                if name.contains(&b'/') {
                    return Err(Errno::INVAL.into());
                }
                let stat =
                    crate::ebpf::fanotify::Stat::of_name(any(beside, 0)?, name)?.ok_or(Errno::NOENT)?;
                numbers(&watch::numbers_of(&stat))
            }
            Deed::Opened => {
                let opened = sys::read_opened(any(beside, 0)?)?;
                Ok((none().numbers(watch::rows_of(&opened)), Vec::new()))
            }
            Deed::Programs => Ok((hook::page_here(question, self.own()?)?, Vec::new())),
            Deed::Attach => open(self.own()?.attach(question, any(beside, 0)?, folder(beside, 1)?)?),
            Deed::GiveBack => {
                self.own()?.give_back(any(beside, 0)?, any(beside, 1)?)?;
                Ok((none(), Vec::new()))
            }
            Deed::CgroupPrograms => {
                Ok((self.own()?.cgroup_programs(question, folder(beside, 0)?)?, Vec::new()))
            }
            Deed::None | Deed::Begin => Err(Errno::INVAL.into()),
        }
    }

    fn own(&self) -> io::Result<&Own> {
        self.own.get().ok_or_else(|| Errno::INVAL.into())
    }

    /// State of a runtime whose folder is known.
    fn state(&self, question: &Message) -> io::Result<OwnedFd> {
        let (root, below) = (named(question.bytes(0))?, below(question.bytes(1))?);
        let is_known =
            self.roots.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == root);
        let what = nth(&What::ALL, question.number(0))?;
        if !is_known || !is_of_runtime(what, below) {
            return Err(Errno::ACCESS.into());
        }
        here::state(root, below, what)
    }

    /// Looks for runtimes with folders of their own: their word is root's, and theirs are known from now on.
    fn discover(&self) -> Message {
        let mut answer = Message::default();
        // Before the lock: on a host with 30,000 processes it takes a second, and other questions go on.
        let all = running_runtimes();
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        for found in all {
            let (kind, path) = match found {
                Found::Docker(path) => (0, path),
                Found::Containerd(path) => (1, path),
            };
            if !roots.contains(&path) && roots.len() < ROOTS_MAX {
                roots.push(path.clone());
            }
            answer = answer.numbers([kind]).text(path.as_os_str().as_bytes());
        }
        answer
    }
}

/// State below a folder that belongs to a user, in the places where runtimes of users keep it.
fn state_of_user(question: &Message, beside: &[OwnedFd]) -> io::Result<OwnedFd> {
    let (way, below) = (path(question.bytes(0)), below(question.bytes(1))?);
    let home = folder(beside, 0)?;
    let is_place = USER_WAYS.iter().any(|known| Path::new(known) == way);
    let what = nth(&What::ALL, question.number(0))?;
    if !is_place || fstat(home)?.st_uid == 0 || !is_of_runtime(what, below) {
        return Err(Errno::ACCESS.into());
    }
    here::state_of_user(home, way, below, what)
}

/// Only files of the names that runtimes give theirs are handed out.
fn is_of_runtime(what: What, path: &Path) -> bool {
    let is_known =
        || path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FILES.contains(&name));
    match what {
        What::File => is_known(),
        What::Folder | What::Place => true,
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// A path that names something.
fn named(bytes: &[u8]) -> io::Result<&Path> {
    if bytes.is_empty() || bytes.len() >= PATH_MAX { Err(Errno::INVAL.into()) } else { Ok(path(bytes)) }
}

/// A path that leads down and nowhere else; an empty one stays where it is.
fn below(bytes: &[u8]) -> io::Result<&Path> {
    let path = path(bytes);
    let leads_down = path.components().all(|part| matches!(part, Component::Normal(_)));
    if leads_down && bytes.len() < PATH_MAX { Ok(path) } else { Err(Errno::INVAL.into()) }
}

/// Process 0 is nobody.
fn some(pid: u32) -> io::Result<u32> {
    if pid == 0 { Err(Errno::INVAL.into()) } else { Ok(pid) }
}

fn nth<T: Copy>(all: &[T], place: u64) -> io::Result<T> {
    let place = usize::try_from(place).ok();
    place.and_then(|place| all.get(place)).copied().ok_or_else(|| Errno::INVAL.into())
}

fn any(beside: &[OwnedFd], index: usize) -> io::Result<BorrowedFd<'_>> {
    beside.get(index).map(OwnedFd::as_fd).ok_or_else(|| Errno::BADF.into())
}

fn folder(beside: &[OwnedFd], index: usize) -> io::Result<BorrowedFd<'_>> {
    let open = any(beside, index)?;
    let is_folder = FileType::from_raw_mode(fstat(open)?.st_mode).is_dir();
    if is_folder { Ok(open) } else { Err(Errno::NOTDIR.into()) }
}

#[cfg(test)]
mod tests;
