//! What leaves the process: alerts, and the notices that keep the sensor honest.
//!
//! Values only: how they look is the sinks' business (`sink::text`, `sink::document`).

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::Protocol;
use crate::sigma::Level;
use crate::state::container::Container;
use crate::state::process::Process;

/// Everything a sink may be asked to deliver.
#[derive(Clone, Debug)]
pub enum Message {
    Alert(Box<Alert>),
    Notice(Notice),
}

/// One account of what one process tree did, and why somebody should look.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Version 7, so ids sort by time.
    pub id: Uuid,
    /// Counts the messages of this run of the agent from 1: a gap at the receiver is a loss.
    pub sequence: u64,
    /// Told before, under the same id, and went on: this is the whole story with its end.
    pub is_amendment: bool,
    /// When its first step happened.
    pub time: Timestamp,
    /// Level of the gravest match, already lowered where it happened outside a container.
    pub level: Level,
    /// The gravest match; ties go to the earliest.
    pub detection: Detection,
    /// Other detections that matched in the same process tree.
    pub related: Vec<Detection>,
    pub container: Option<Arc<Container>>,
    /// The process that the gravest match is about.
    pub process: Arc<Process>,
    /// Parent first.
    pub ancestors: Vec<Arc<Process>>,
    /// Name of the process's user, where it has one.
    pub user: Option<Arc<str>>,
    /// In the order in which they happened, at most `story::STEPS_MAX`.
    pub steps: Vec<Step>,
    /// Steps left out beyond that bound.
    pub steps_omitted: u32,
    /// Fields that were not known in time (`container.name`): the alert did not wait for them.
    pub pending: Vec<&'static str>,
}

/// The ADS behind a match, as far as an alert carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The Sigma rule's id.
    pub id: String,
    pub title: String,
    /// Folder under `rules/` (`curl_download`), or the file a user loaded it from.
    pub name: String,
    pub level: Level,
    /// ATT&CK techniques, upper case (`T1105`, `T1048.003`), from the rule's tags.
    pub techniques: Vec<String>,
    /// ATT&CK tactics as the tags spell them (`command-and-control`).
    pub tactics: Vec<String>,
    pub false_positives: Vec<String>,
    /// What to do now: the first steps of the ADS's response section, one line each.
    pub response: Vec<String>,
}

/// One thing that happened, in the story's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Nanoseconds since [`Alert::time`].
    pub offset: u64,
    pub pid: u32,
    /// Last component of the executable's name (the applet's, where there is one).
    pub program: String,
    pub action: Action,
}

/// What was done in a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Executed {
        command_line: String,
    },
    Connected {
        protocol: Protocol,
        address: IpAddr,
        port: u16,
    },
    /// A TCP connection ended; payload bytes as the kernel counted them.
    Disconnected {
        address: IpAddr,
        port: u16,
        bytes_sent: u64,
        bytes_received: u64,
    },
    Opened {
        path: String,
    },
    Wrote {
        path: String,
        /// How many bytes, where they are counted; known when the file is closed.
        bytes: Option<u64>,
        /// Size of the file after it.
        size: Option<u64>,
    },
    Renamed {
        from: String,
        to: String,
    },
    /// One more name of a file.
    Linked {
        /// Empty where only the new name is known.
        from: String,
        to: String,
    },
    Deleted {
        path: String,
    },
    MadeExecutable {
        path: String,
    },
    /// A file that holds secrets was opened.
    Read {
        path: String,
    },
    Exited {
        /// Exit status, or none when a signal ended it.
        status: Option<u8>,
        signal: Option<u8>,
    },
}

impl Alert {
    /// Where it went: the first TCP destination that is not DNS, else the first other that is not
    /// DNS and has a port, else the first at all.
    #[must_use]
    pub fn destination(&self) -> Option<(Protocol, IpAddr, u16)> {
        const DNS: u16 = 53;
        let rank = |(protocol, _, port): &(Protocol, IpAddr, u16)| match (protocol, *port) {
            (_, DNS | 0) => 2,
            (Protocol::Tcp, _) => 0,
            (Protocol::Udp | Protocol::Other(_), _) => 1,
        };
        self.destinations().min_by_key(rank)
    }

    /// Every destination in the story's order.
    pub fn destinations(&self) -> impl Iterator<Item = (Protocol, IpAddr, u16)> {
        self.steps.iter().filter_map(|step| match step.action {
            Action::Connected { protocol, address, port } => Some((protocol, address, port)),
            Action::Executed { .. }
            | Action::Disconnected { .. }
            | Action::Opened { .. }
            | Action::Wrote { .. }
            | Action::Renamed { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::MadeExecutable { .. }
            | Action::Read { .. }
            | Action::Exited { .. } => None,
        })
    }

    /// Files in the order in which they were touched, each once, under their last known names: a
    /// file that was written and then renamed or linked counts once, by its final path.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = Vec::new();
        for step in &self.steps {
            match &step.action {
                Action::Opened { path }
                | Action::Wrote { path, .. }
                | Action::MadeExecutable { path }
                | Action::Read { path } => {
                    if !files.contains(&path.as_str()) {
                        files.push(path);
                    }
                }
                Action::Renamed { from, to } | Action::Linked { from, to } => {
                    files.retain(|file| file != from && file != to);
                    files.push(to);
                }
                Action::Executed { .. }
                | Action::Connected { .. }
                | Action::Disconnected { .. }
                | Action::Deleted { .. }
                | Action::Exited { .. } => {}
            }
        }
        files
    }

    /// Payload bytes over all TCP connections that ended within the story: sent, received.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        self.steps.iter().fold((0, 0), |(sent, received), step| match step.action {
            Action::Disconnected { bytes_sent, bytes_received, .. } => {
                (sent.saturating_add(bytes_sent), received.saturating_add(bytes_received))
            }
            Action::Executed { .. }
            | Action::Connected { .. }
            | Action::Opened { .. }
            | Action::Wrote { .. }
            | Action::Renamed { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::MadeExecutable { .. }
            | Action::Read { .. }
            | Action::Exited { .. } => (sent, received),
        })
    }
}

/// Something about the sensor itself, in the same stream as its alerts.
#[derive(Clone, Debug)]
pub struct Notice {
    pub id: Uuid,
    /// As [`Alert::sequence`], the same count.
    pub sequence: u64,
    pub time: Timestamp,
    pub subject: Subject,
}

/// What a [`Notice`] is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The sensor is ready; what it sees and what it does not.
    Coverage(Coverage),
    /// Records were lost since the last notice.
    Loss(Vec<Loss>),
    /// Somebody works on what the sensor stands on.
    Tampering(Vec<Tampering>),
    /// The agent ends in order.
    Stopped { alerts: u64, events: u64 },
}

/// What is attached, and what that leaves unseen.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub kernel: String,
    pub hooks: Vec<HookCoverage>,
    pub detections: usize,
    /// Fields this kernel's BTF lacks.
    pub missing_offsets: Vec<&'static str>,
    /// Processes and containers found at start.
    pub processes: usize,
    pub containers: usize,
    /// From the start of the agent to ready.
    pub start_milliseconds: u64,
}

/// One row of the hook table, as it turned out.
#[derive(Clone, Debug)]
pub struct HookCoverage {
    /// What is observed (`file written`).
    pub purpose: &'static str,
    /// The attach point that was taken (`fentry security_file_open`), or none.
    pub attached: Option<String>,
    /// 1 is the best tier.
    pub tier: u8,
    /// Better attach points that were refused, each with the kernel's reason.
    pub refused: Vec<(String, String)>,
    /// What cannot be seen now.
    pub weakens: Option<&'static str>,
}

/// Losses of one kind of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Kind of record (`network_connect`) or place (`syslog udp://127.0.0.1:514`).
    pub what: String,
    pub count: u64,
    /// Reason in a few words (`ring full`).
    pub reason: &'static str,
}

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// A program of the sensor's was detached: what it saw is not seen any more.
    Detached { program: String },
    /// A BPF program was loaded by somebody else.
    Loaded {
        id: u32,
        /// `enum bpf_prog_type`, in lower case.
        kind: String,
        /// Given by its loader: a claim.
        name: String,
        /// User that loaded it, where the kernel tells.
        uid: Option<u32>,
    },
}
