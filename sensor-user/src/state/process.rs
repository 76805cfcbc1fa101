//! Processes as the agent knows them, with their lineage through parents that have exited.

mod arguments;
pub mod program;
pub mod stream;
mod table;

use std::sync::Arc;

use sensor_ebpf::wire::FileId;

use crate::command::{self, Command};
use crate::state::standing::Standing;
use stream::Streams;

pub use arguments::Arguments;
pub use table::{EXITED_KEPT, Fork, Place, ProcessTable, Resident, TableStats};

/// Identity of a process: pids are used again, a pid with its start is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// Start of the thread group leader, `CLOCK_BOOTTIME` nanoseconds.
    pub start_time: u64,
}

/// The file a process runs, under every name it goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Resolved by the kernel, as seen from the process's own root.
    pub path: String,
    /// As given to exec (for a script: the script). A claim.
    pub invoked: Option<String>,
    /// Name of a multi-call binary's applet as a path beside it (`/bin/wget` for `/bin/busybox`
    /// called as `wget`), where `argv[0]` names one.
    pub applet: Option<String>,
    /// The program that the dynamic loader was called with (`ld.so /usr/bin/curl`). A claim.
    pub loaded: Option<String>,
    /// For a script, whose path is `invoked`: the interpreter as its first line names it.
    pub interpreter: Option<String>,
    pub file: Option<FileId>,
    /// `memfd_create`: lives in memory only.
    pub memfd: bool,
    /// Has no name any more.
    pub deleted: bool,
    /// Lies in the upper layer of an overlay: not part of the image.
    pub upper_layer: bool,
    /// Who wrote the file since its container started, as far as the sensor saw.
    pub written: Option<Arc<Written>>,
}

/// Who wrote a file, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// When it was written last, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    pub by: ProcessKey,
    /// The program that wrote it, by the name that says most.
    pub image: String,
    /// The beginning of its command line.
    pub arguments: Arguments,
    /// Payload bytes that it, or who fed its standard input, had received from other machines until the file was
    /// run, as far as they were counted. None: neither talked to any.
    pub received: Option<u64>,
}

impl Executable {
    /// All names, the resolved one first, each once. `Image` in rules matches any of them.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let names = [Some(&self.path), self.invoked.as_ref(), self.loaded.as_ref(), self.applet.as_ref()];
        names.into_iter().enumerate().filter_map(move |(index, name)| {
            let is_new = !names.iter().take(index).any(|before| *before == name);
            name.filter(|_| is_new).map(String::as_str)
        })
    }

    /// The path of the name that says most: the applet's, else what the loader runs, else the program's.
    #[must_use]
    pub fn telling(&self) -> &str {
        self.applet.as_deref().or(self.loaded.as_deref()).unwrap_or(&self.path)
    }

    /// Path of the script, where one was called.
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.interpreter.as_ref().and(self.invoked.as_deref())
    }
}

/// From where and for whom a program was started. Of what ran before the sensor, how is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Who logged in, whatever became of it since.
    pub login_uid: Option<u32>,
    /// Controlling terminal (`pts/3`).
    pub terminal: Option<String>,
    /// Inode numbers of namespaces; zero when unknown.
    pub net_ns: u32,
    pub user_ns: u32,
    /// A thread other than the leader called exec.
    pub by_thread: bool,
    /// Where input came from and output went.
    pub streams: Streams,
    /// `NAME=value`, without secrets.
    pub environment: Vec<String>,
}

/// A process under its current program. Immutable: exec makes a new one under the same key.
#[derive(Clone, Debug)]
pub struct Process {
    pub key: ProcessKey,
    pub parent: Option<ProcessKey>,
    pub executable: Executable,
    pub arguments: Arguments,
    /// The kernel half cut the arguments.
    pub arguments_truncated: bool,
    /// What the arguments mean, where the program is a tool that is known.
    pub command: Option<Arc<Command>>,
    pub session: Session,
    pub directory: Option<String>,
    /// The task's name: a claim.
    pub comm: String,
    pub uid: u32,
    pub gid: u32,
    pub effective_uid: u32,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub cgroup_id: u64,
    /// Id of the container it was first seen in; the names are in the container table.
    pub container: Option<Arc<str>>,
    /// What else speaks for that container, or against it.
    pub standing: Standing,
    /// When this program started, `CLOCK_BOOTTIME` nanoseconds; for a process found in /proc at
    /// start, the process's start.
    pub exec_time: u64,
}

impl Process {
    /// The same, its command line understood: `words` are its arguments.
    #[must_use]
    pub fn understood(mut self, words: &[String]) -> Self {
        self.command = command::understand(self.executable.images(), words);
        self
    }

    /// Last part of the name that says most; of a process whose file could not be read, the task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let path = self.executable.telling();
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.is_empty() { &self.comm } else { name }
    }

    /// What is told of it when it is somebody's ancestor, or wrote what somebody runs: no arguments but the line that
    /// they make, of which `line_max` bytes, and nothing of how it was started.
    #[must_use]
    pub fn abridged(&self, line_max: usize) -> Self {
        let arguments = self.arguments.abridged(line_max);
        Self {
            key: self.key,
            parent: self.parent,
            executable: self.executable.clone(),
            arguments_truncated: self.arguments_truncated || arguments.line() != self.arguments.line(),
            arguments,
            command: None,
            session: Session { environment: Vec::new(), ..self.session.clone() },
            directory: None,
            comm: self.comm.clone(),
            container: self.container.clone(),
            standing: self.standing.clone(),
            ..*self
        }
    }

    /// Is there anything that [`Process::abridged`] would leave out?
    #[must_use]
    pub fn is_abridged(&self, line_max: usize) -> bool {
        self.arguments.is_empty()
            && self.arguments.line().len() <= line_max
            && self.session.environment.is_empty()
            && self.directory.is_none()
    }

    /// Arguments as one line, as Sigma's `CommandLine` has them: joined by a blank.
    #[must_use]
    pub fn command_line(&self) -> &str {
        self.arguments.line()
    }
}
