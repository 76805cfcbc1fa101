//! What leaves the process: alerts, and the notices that keep the sensor honest.
//!
//! Values only: how they look is the sinks' business (`sink::text`, `sink::document`).

mod canary;
mod correlation;
mod notice;
mod rule;
mod story;
mod tampering;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sigma::Level;
use uuid::Uuid;

pub use canary::{CanaryReport, FAILED, reason};
pub use correlation::{Correlation, Member};
pub use notice::{
    Aggregate, Backlog, Coverage, Heartbeat, HookCount, HookCoverage, LedgerRow, Loss, LossSum, Notice,
    Stopped, Subject, Target, Window,
};
pub use rule::{Expensive, Reload, RuleChange, RuleMistake, RuleName, RuleNames, RulePlace, RuleRefusal};
pub use story::{Evidence, Participant, Stage, StageReached, Story};
pub use tampering::{Action as TamperAction, Deed, Gap, Mended, Suspect, Tampering};

use crate::event::{Direction, Protocol};
use crate::state::container::Container;
use crate::state::phase::Phase;
use crate::state::process::{Arguments, Process};

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
    /// Counts the messages of this agent from 1: a gap at the receiver is a loss.
    pub sequence: u64,
    /// Told before, under the same id: this is the whole story with its end, or with the name that its
    /// container got since.
    pub is_amendment: bool,
    /// When its first step happened.
    pub time: Timestamp,
    /// Level of the story: of its gravest match, already lowered where it happened outside a container, or what its
    /// steps amount to together.
    pub level: Level,
    /// What this alert is about: of the matches that are news in it the gravest; ties go to the earliest.
    pub detection: Detection,
    /// What was found, where not one match but several together are what is told.
    pub correlation: Option<Correlation>,
    /// Other detections that matched in the same story.
    pub related: Vec<Detection>,
    pub story: Story,
    pub container: Option<Arc<Container>>,
    /// What the container was doing.
    pub phase: Option<Phase>,
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
    /// Payload bytes of connections whose end is among these: sent, received.
    pub bytes_omitted: (u64, u64),
    /// Fields that were not known in time (`container.name`): the alert did not wait for them.
    pub pending: Vec<&'static str>,
    /// Secrets that were taken out of its texts.
    pub redacted: u32,
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
        arguments: Arguments,
    },
    Connected {
        place: Place,
        /// Who opened it.
        direction: Direction,
    },
    /// A connection that goes on: payload bytes so far, as the process moved them. Of a correlation's matches, in
    /// this and the next, those that the one before did not have.
    Transferred {
        place: Place,
        /// Names the socket while it lives.
        socket: u64,
        bytes_sent: u64,
        bytes_received: u64,
    },
    /// A connection ended; payload bytes as the kernel counted them.
    Disconnected {
        place: Place,
        bytes_sent: u64,
        bytes_received: u64,
    },
    /// A connection never came to be.
    Failed {
        place: Place,
        /// The errno, zero when unknown.
        error: u32,
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
    /// Anything else.
    Did {
        /// As `event.action` has it (`query`, `mount`).
        deed: &'static str,
        object: String,
    },
    Exited {
        /// Exit status, or none when a signal ended it.
        status: Option<u8>,
        signal: Option<u8>,
    },
}

impl Action {
    /// Where it leads.
    fn place(&self) -> Option<&Place> {
        match self {
            Self::Connected { place, .. }
            | Self::Transferred { place, .. }
            | Self::Disconnected { place, .. }
            | Self::Failed { place, .. } => Some(place),
            Self::Executed { .. }
            | Self::Opened { .. }
            | Self::Wrote { .. }
            | Self::Renamed { .. }
            | Self::Linked { .. }
            | Self::Deleted { .. }
            | Self::MadeExecutable { .. }
            | Self::Read { .. }
            | Self::Did { .. }
            | Self::Exited { .. } => None,
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub protocol: Protocol,
    /// Unspecified: several, or not known which.
    pub address: IpAddr,
    pub port: u16,
    /// The name that was asked for it.
    pub name: Option<Arc<str>>,
}

impl Place {
    /// The same place, by whatever name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.protocol, self.address, self.port) == (other.protocol, other.address, other.port)
    }
}

impl Alert {
    /// Where it went: the first TCP destination that is not DNS and took the connection, else the first
    /// other that is not DNS and has a port, else the first at all. What came from outside goes last.
    #[must_use]
    pub fn destination(&self) -> Option<(&Place, Direction)> {
        const DNS: u16 = 53;
        let has_failed = |place: &Place| {
            let failed =
                |step: &&Step| matches!(&step.action, Action::Failed { place: it, .. } if it.is_same(place));
            self.steps.iter().find(failed).is_some()
        };
        let rank = |(place, direction): &(&Place, Direction)| match (place.protocol, place.port) {
            _ if *direction == Direction::Inbound => 4,
            (_, DNS | 0) => 3,
            (Protocol::Tcp, _) if has_failed(place) => 2,
            (Protocol::Tcp, _) => 0,
            (Protocol::Udp | Protocol::Other(_), _) => 1,
        };
        self.destinations().min_by_key(rank)
    }

    /// Every other end in the story's order, with who opened the connection. The matches of a correlation may be
    /// transfers alone.
    pub fn destinations(&self) -> impl Iterator<Item = (&Place, Direction)> {
        let is_correlation = self.correlation.is_some();
        self.steps.iter().filter_map(move |step| {
            if let Action::Connected { place, direction } = &step.action {
                return Some((place, *direction));
            }
            step.action.place().filter(|_| is_correlation).map(|place| (place, Direction::Unknown))
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
                | Action::Transferred { .. }
                | Action::Disconnected { .. }
                | Action::Deleted { .. }
                | Action::Failed { .. }
                | Action::Did { .. }
                | Action::Exited { .. } => {}
            }
        }
        files
    }

    /// Payload bytes over all connections of the story, of those that go on as far as they are: sent,
    /// received. None: no connection has moved any, as far as is known; or there were more transfers than a
    /// correlation lists.
    #[must_use]
    pub fn bytes(&self) -> Option<(u64, u64)> {
        if self.correlation.is_some() && self.steps_omitted > 0 {
            return None;
        }
        let omitted = Some(self.bytes_omitted).filter(|bytes| *bytes != (0, 0));
        let told = self.steps.iter().filter_map(|step| match step.action {
            Action::Transferred { bytes_sent, bytes_received, .. }
            | Action::Disconnected { bytes_sent, bytes_received, .. } => Some((bytes_sent, bytes_received)),
            Action::Executed { .. }
            | Action::Connected { .. }
            | Action::Failed { .. }
            | Action::Opened { .. }
            | Action::Wrote { .. }
            | Action::Renamed { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::MadeExecutable { .. }
            | Action::Read { .. }
            | Action::Did { .. }
            | Action::Exited { .. } => None,
        });
        told.chain(omitted).reduce(|(sent, received), (more_sent, more_received)| {
            (sent.saturating_add(more_sent), received.saturating_add(more_received))
        })
    }
}
