//! Processes as the agent knows them, with their lineage through parents that have exited.

pub mod program;
mod table;

use std::sync::Arc;

use sensor_ebpf::wire::FileId;

use crate::state::standing::Standing;

pub use table::{EXITED_KEPT, Fork, Place, ProcessTable, Resident, TableStats};

/// Identity of a process: pids are used again, a pid with its start is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    pub pid: u32,
    /// The program that wrote it, by the name that says most.
    pub image: String,
    pub command_line: String,
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
    /// Last part of the name that says most; of a process whose file could not be read, the task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let path = self.executable.telling();
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.is_empty() { &self.comm } else { name }
    }

    /// Arguments as one line, as Sigma's `CommandLine` has them: joined by a blank.
    #[must_use]
    pub fn command_line(&self) -> &str {
        &self.arguments.line
    }
}

/// An argument vector, and the line it makes: rules ask for the line of every event, so it is made
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    list: Vec<String>,
    line: String,
    count: u32,
    size: u32,
}

/// Stands in a line for arguments that were cut out.
const CUT: &str = " … ";

impl Arguments {
    /// A vector of `count` arguments and `size` bytes of which only the beginning and the end are here.
    /// The last of the beginning and the first of the end may be parts.
    #[must_use]
    pub fn cut(mut list: Vec<String>, end: Vec<String>, count: u32, size: u32) -> Self {
        let line = [list.join(" "), end.join(" ")].join(CUT).trim_end().to_owned();
        list.extend(end);
        Self { list, line, count, size }
    }

    /// Of the whole vector, also of what was cut.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the whole vector, a NUL for each argument included.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }
}

impl From<Vec<String>> for Arguments {
    fn from(list: Vec<String>) -> Self {
        let line = list.join(" ");
        let bound = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let size = bound(line.len() + usize::from(!list.is_empty()));
        Self { count: bound(list.len()), line, list, size }
    }
}

impl std::ops::Deref for Arguments {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.list
    }
}
