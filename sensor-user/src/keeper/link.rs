//! The agent's end: starts the keeper, asks it, and knows when it is gone.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::message::{Deed, MESSAGE_MAX, Message, receive, send};
use super::{COMMAND, KeeperError, Own, What};

/// First word of its command line, whatever the binary is called.
const PROGRAM: &str = "tidewaiter";
/// The keeper that is asked by all of this process, once there is one.
static LINK: OnceLock<Link> = OnceLock::new();

/// Which thread of the keeper is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What the loop waits for.
    Loop,
    /// Files of runtimes, which may lie on a slow disk: the loop goes on meanwhile.
    Files,
    /// What takes milliseconds to a second: the search for runtimes, and the canary.
    Slow,
}

/// What the keeper is told at the beginning, and judges questions by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Files are watched by fanotify.
    pub wants_files: bool,
    /// Folders of root's runtimes.
    pub roots: Vec<Vec<u8>>,
    pub own: Own,
}

/// Folders of root's runtimes into which the agent looks by itself: a question takes as long as the busiest host lets two
/// processes wait for their turn, and a container may be gone by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Direct {
    /// To list what is there.
    pub listed: Vec<PathBuf>,
    /// To read files as well.
    pub read: Vec<PathBuf>,
}

/// A connection to one of its threads.
#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A keeper that runs. Dropping it ends the keeper.
#[derive(Debug)]
pub struct Link {
    lines: [Mutex<Line>; 3],
    /// The keeper's ends of the other lines, until it has them.
    others: Mutex<Vec<OwnedFd>>,
    /// At its end when the keeper is.
    life: Mutex<Option<OwnedFd>>,
    pid: u32,
    direct: Direct,
    _child: Child,
}

impl Direct {
    /// Whether the agent opens this itself. To look at a file's own facts nobody has to be asked (`O_PATH`, open(2)).
    fn has(&self, root: &Path, what: What) -> bool {
        let is_in = |folders: &[PathBuf]| folders.iter().any(|folder| folder == root);
        match what {
            What::Place => true,
            What::Folder => is_in(&self.listed) || is_in(&self.read),
            What::File => is_in(&self.read),
        }
    }
}

impl Terms {
    fn question(self) -> Message {
        let Self { wants_files, roots, own: Own { programs, cgroup: (device, inode) } } = self;
        let question = Message { texts: roots, ..Message::ask(Deed::Begin) };
        let programs = programs.into_iter().map(u64::from);
        question.numbers([u64::from(wants_files), device, inode]).numbers(programs)
    }

    pub(super) fn of(question: &Message) -> Self {
        let programs = question.numbers.iter().skip(3).filter_map(|id| u32::try_from(*id).ok()).collect();
        let own = Own { programs, cgroup: (question.number(1), question.number(2)) };
        Self { wants_files: question.number(0) != 0, roots: question.texts.clone(), own }
    }
}

/// The keeper of this process, if it has one by now.
pub(super) fn link() -> Option<&'static Link> {
    LINK.get()
}

impl Link {
    /// Starts the keeper: this very binary, with what this process may do now.
    ///
    /// # Errors
    /// The system refuses a socket or a process.
    pub fn start() -> Result<Self, KeeperError> {
        let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let start = || {
            let ((own, its), (files, other), (slow, third)) = (pair()?, pair()?, pair()?);
            let (life, held) = pipe_with(PipeFlags::CLOEXEC)?;
            // Not by its path: what lies there now may be another binary.
            let mut command = Command::new("/proc/self/exe");
            command.arg0(PROGRAM).arg(COMMAND).current_dir("/");
            // Of a group of its own: Ctrl-C is for the agent, which still has questions then.
            let child = command.process_group(0).stdin(its).stdout(held).stderr(Stdio::inherit()).spawn()?;
            Ok::<_, io::Error>(([own, files, slow], vec![other, third], life, child))
        };
        let (own, others, life, child) = start().map_err(KeeperError::Start)?;
        let line = |socket| Mutex::new(Line { socket, buffer: vec![0; MESSAGE_MAX] });
        Ok(Self {
            lines: own.map(line),
            others: Mutex::new(others),
            life: Mutex::new(Some(life)),
            pid: child.id(),
            direct: Direct::default(),
            _child: child,
        })
    }

    /// Has the keeper give up what it does not need, and everything of this process ask it from now on, but for `direct`.
    ///
    /// # Errors
    /// It is gone, or cannot give up what it should.
    pub fn begin(mut self, terms: Terms, direct: Direct) -> Result<&'static Self, KeeperError> {
        self.direct = direct;
        let others = std::mem::take(&mut *self.others.lock().unwrap_or_else(PoisonError::into_inner));
        let beside: Vec<BorrowedFd<'_>> = others.iter().map(OwnedFd::as_fd).collect();
        let question = terms.question();
        let (answer, _) = self.tell(Lane::Loop, &question, &beside).map_err(KeeperError::Gone)?;
        if answer.error != 0 {
            return Err(KeeperError::Refused(String::from_utf8_lossy(answer.bytes(0)).into_owned()));
        }
        LINK.set(self).map_err(|_| KeeperError::Twice)?;
        LINK.get().ok_or(KeeperError::Twice)
    }

    /// Whether the agent opens this of a runtime's state itself.
    pub(super) fn is_direct(&self, root: &Path, what: What) -> bool {
        self.direct.has(root, what)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What is at its end when the keeper is. To be taken once.
    #[must_use]
    pub fn life(&self) -> Option<OwnedFd> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing is asked any more: the keeper ends.
    pub fn hang_up(&self) {
        let [first, ..] = &self.lines;
        // Where somebody still asks, it ends with this process.
        if let Ok(line) = first.try_lock() {
            // It may be gone already.
            let _ = shutdown(&line.socket, Shutdown::Both);
        }
    }

    /// Asks, and waits for the answer. An error of the deed is an error here.
    pub(super) fn ask(
        &self,
        lane: Lane,
        question: &Message,
        beside: &[BorrowedFd<'_>],
    ) -> io::Result<(Message, Vec<OwnedFd>)> {
        let (answer, descriptors) = self.tell(lane, question, beside)?;
        if answer.error == 0 {
            Ok((answer, descriptors))
        } else {
            Err(io::Error::from_raw_os_error(answer.error))
        }
    }

    /// The same for one whose answer is a descriptor.
    pub(super) fn ask_open(
        &self,
        lane: Lane,
        question: &Message,
        beside: &[BorrowedFd<'_>],
    ) -> io::Result<OwnedFd> {
        let (_, descriptors) = self.ask(lane, question, beside)?;
        descriptors.into_iter().next().ok_or_else(|| Errno::BADMSG.into())
    }

    fn tell(
        &self,
        lane: Lane,
        question: &Message,
        beside: &[BorrowedFd<'_>],
    ) -> io::Result<(Message, Vec<OwnedFd>)> {
        let [first, second, third] = &self.lines;
        let line = match lane {
            Lane::Loop => first,
            Lane::Files => second,
            Lane::Slow => third,
        };
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        let Line { socket, buffer } = &mut *line;
        send(socket.as_fd(), question, beside)?;
        receive(socket.as_fd(), buffer)?.ok_or_else(|| Errno::PIPE.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_the_agent_opens_itself_is_what_was_granted() {
        let folder = |path: &str| vec![PathBuf::from(path)];
        let direct = Direct { listed: folder("/run/containerd"), read: folder("/run/runc") };
        let opened = |root: &str| What::ALL.map(|what| direct.has(Path::new(root), what));
        // In the order of `What::ALL`: file, folder, place.
        assert_eq!(opened("/run/runc"), [true, true, true]);
        assert_eq!(opened("/run/containerd"), [false, true, true]);
        assert_eq!(opened("/run/k3s/containerd"), [false, false, true]);
        assert_eq!(opened("/run"), [false, false, true]);
    }

    #[test]
    fn terms_are_understood_as_they_were_meant() {
        let own = Own { programs: BTreeSet::from([7, 9]), cgroup: (31, 1) };
        let terms = Terms { wants_files: true, roots: vec![b"/run/containerd".to_vec()], own };
        assert_eq!(Terms::of(&terms.clone().question()), terms);
        assert_eq!(Terms::of(&Message::default()), Terms::default());
    }
}
