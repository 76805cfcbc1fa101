//! The table of hooks: what is observed, where, and what is taken when the better place is refused.
//!
//! A row's attach points stand best first. What is chosen is decided by really loading, attaching
//! and firing it, never by a kernel version.

/// One thing that is observed.
pub struct Hook {
    /// In a person's words.
    pub purpose: &'static str,
    /// By what the agent proves that it fires.
    pub trial: Trial,
    /// Without it the sensor is blind: then it does not start.
    pub is_required: bool,
    /// Best first.
    pub tiers: &'static [Attach],
    /// What is not seen when no tier could be had.
    pub unseen: &'static str,
    /// What is not seen when only a lower tier could be had; empty when nothing.
    pub weakened: &'static str,
}

/// What makes a hook fire; `proof` does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Exec,
    Fork,
    Exit,
    Connect4,
    Connect6,
    Datagram4,
    Datagram6,
    Close,
    Open,
    Write,
    Rename,
    CgroupCreate,
    CgroupRemove,
}

/// A place to attach, with the program that goes there (the name of its function).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    RawTracepoint {
        program: &'static str,
        tracepoint: &'static str,
    },
    Fentry {
        program: &'static str,
        function: &'static str,
    },
    /// The root of the v2 hierarchy, so every container below it.
    Cgroup {
        program: &'static str,
    },
    /// No program: the agent's own watch by `fanotify(7)`.
    Fanotify,
}

impl Attach {
    /// The attach point as people write it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::RawTracepoint { tracepoint, .. } => format!("tracepoint {tracepoint}"),
            Self::Fentry { function, .. } => format!("fentry {function}"),
            Self::Cgroup { program } => format!("cgroup {program}"),
            Self::Fanotify => "fanotify FAN_RENAME".to_owned(),
        }
    }
}

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Attach {
    Attach::RawTracepoint { program, tracepoint }
}

const fn fentry(program: &'static str, function: &'static str) -> Attach {
    Attach::Fentry { program, function }
}

/// Everything the sensor observes, the mandatory part first.
pub const HOOKS: &[Hook] = &[
    Hook {
        purpose: "program started",
        trial: Trial::Exec,
        is_required: true,
        tiers: &[tracepoint("process_exec", "sched_process_exec")],
        unseen: "every detection",
        weakened: "",
    },
    Hook {
        purpose: "process forked",
        trial: Trial::Fork,
        is_required: true,
        tiers: &[tracepoint("process_fork", "sched_process_fork")],
        unseen: "lineage",
        weakened: "",
    },
    Hook {
        purpose: "process ended",
        trial: Trial::Exit,
        is_required: true,
        tiers: &[tracepoint("process_exit", "sched_process_exit")],
        unseen: "the end of processes",
        weakened: "",
    },
    Hook {
        purpose: "IPv4 connect",
        trial: Trial::Connect4,
        is_required: true,
        tiers: &[Attach::Cgroup { program: "connect4" }],
        unseen: "destinations",
        weakened: "",
    },
    Hook {
        purpose: "IPv6 connect",
        trial: Trial::Connect6,
        is_required: false,
        tiers: &[Attach::Cgroup { program: "connect6" }],
        unseen: "IPv6 destinations",
        weakened: "",
    },
    Hook {
        purpose: "IPv4 datagram",
        trial: Trial::Datagram4,
        is_required: false,
        tiers: &[Attach::Cgroup { program: "sendmsg4" }],
        unseen: "destinations of unconnected UDP sockets",
        weakened: "",
    },
    Hook {
        purpose: "IPv6 datagram",
        trial: Trial::Datagram6,
        is_required: false,
        tiers: &[Attach::Cgroup { program: "sendmsg6" }],
        unseen: "destinations of unconnected UDP sockets over IPv6",
        weakened: "",
    },
    Hook {
        purpose: "connection ended",
        trial: Trial::Close,
        is_required: false,
        tiers: &[tracepoint("tcp_close", "inet_sock_set_state")],
        unseen: "bytes sent and received",
        weakened: "",
    },
    Hook {
        purpose: "file opened to write",
        trial: Trial::Open,
        is_required: false,
        tiers: &[fentry("file_open", "security_file_open")],
        unseen: "opens that write nothing",
        weakened: "",
    },
    Hook {
        purpose: "file written",
        trial: Trial::Write,
        is_required: false,
        tiers: &[
            fentry("file_write", "rw_verify_area"),
            tracepoint("file_dirty", "writeback_mark_inode_dirty"),
        ],
        unseen: "written files",
        weakened: "writes to a file that another process left dirty",
    },
    Hook {
        purpose: "file renamed",
        trial: Trial::Rename,
        is_required: false,
        tiers: &[fentry("file_rename", "security_inode_rename"), Attach::Fanotify],
        unseen: "final names of files that are written under a temporary one",
        weakened: "renames on file systems mounted after the start",
    },
    Hook {
        purpose: "cgroup created",
        trial: Trial::CgroupCreate,
        is_required: false,
        tiers: &[tracepoint("cgroup_create", "cgroup_mkdir")],
        unseen: "containers before their first program",
        weakened: "",
    },
    Hook {
        purpose: "cgroup removed",
        trial: Trial::CgroupRemove,
        is_required: false,
        tiers: &[tracepoint("cgroup_remove", "cgroup_rmdir")],
        unseen: "the end of containers",
        weakened: "",
    },
];
