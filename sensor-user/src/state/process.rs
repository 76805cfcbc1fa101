//! Processes as the agent knows them, with their lineage through parents that have exited.

mod table;

use std::sync::Arc;

use sensor_ebpf::wire::FileId;

pub use table::{EXITED_KEPT, Fork, ProcessTable, TableStats};

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
    pub file: Option<FileId>,
    /// `memfd_create`: lives in memory only.
    pub memfd: bool,
    /// Has no name any more.
    pub deleted: bool,
    /// Lies in the upper layer of an overlay: not part of the image.
    pub upper_layer: bool,
}

impl Executable {
    /// All names, the resolved one first, each once. `Image` in rules matches any of them.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let invoked = self.invoked.as_deref().filter(|name| *name != self.path);
        let applet = self.applet.as_deref().filter(|name| *name != self.path && Some(*name) != invoked);
        std::iter::once(self.path.as_str()).chain(invoked).chain(applet)
    }
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
    pub directory: Option<String>,
    /// The task's name: a claim.
    pub comm: String,
    pub uid: u32,
    pub gid: u32,
    pub effective_uid: u32,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub cgroup_id: u64,
    /// Id of the container; the names are in the container table.
    pub container: Option<Arc<str>>,
    /// When this program started, `CLOCK_BOOTTIME` nanoseconds; for a process found in /proc at
    /// start, the process's start.
    pub exec_time: u64,
}

impl Process {
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
}

impl From<Vec<String>> for Arguments {
    fn from(list: Vec<String>) -> Self {
        let line = list.join(" ");
        Self { list, line }
    }
}

impl std::ops::Deref for Arguments {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.list
    }
}
