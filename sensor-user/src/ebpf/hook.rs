//! The table of hooks: what is observed, where, and what is taken when the better place is refused.
//!
//! A row's attach points stand best first. What is chosen is decided by really loading, attaching
//! and firing it, never by a kernel version.

mod table;
mod feed;

use clap::ValueEnum;
use serde::Deserialize;

pub use feed::Feed;
pub use table::HOOKS;

use super::fanotify::FileEvent;

/// One thing that is observed.
pub struct Hook {
    /// In a person's words.
    pub purpose: &'static str,
    /// By what the agent proves that it fires.
    pub trial: Trial,
    /// Without it the sensor is blind: then it does not start.
    pub is_required: bool,
    /// Best first.
    pub tiers: &'static [Tier],
    /// What is not seen when no tier could be had.
    pub unseen: &'static str,
    /// What is not seen when only a lower tier could be had; empty when nothing.
    pub weakened: &'static str,
}

/// Places that together observe one thing: all of them are attached, or none.
pub type Tier = &'static [Attach];

/// What makes a hook fire; `proof` does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Exec,
    Fork,
    Exit,
    Access,
    Signal,
    Connect4,
    Connect6,
    Datagram4,
    Datagram6,
    Accept,
    Sent,
    Received,
    Close,
    Release,
    RawSocket,
    Unix,
    Query,
    Answer,
    Open,
    Read,
    Write,
    Map,
    Protect,
    Truncate,
    Allocate,
    FileClose,
    Rename,
    Link,
    Symlink,
    Delete,
    Mode,
    CgroupCreate,
    CgroupRemove,
    CgroupAttach,
    Namespace,
    BpfLoad,
    ModuleLoad,
    Mount,
    MountMove,
}

impl Trial {
    /// Whether the agent can still do it when it has given up its privileges: by calls that are on its list, to places
    /// that are open to it, without a map that is frozen by then. Access is refused then, but behind its hook.
    #[must_use]
    pub fn is_for_confined(self) -> bool {
        match self {
            Self::Access
            | Self::Connect4
            | Self::Connect6
            | Self::Datagram4
            | Self::Datagram6
            | Self::Sent
            | Self::Received
            | Self::Release
            | Self::RawSocket
            | Self::Query
            | Self::Answer => true,
            Self::Exec
            | Self::Fork
            | Self::Exit
            | Self::Signal
            | Self::Accept
            | Self::Close
            | Self::Unix
            | Self::Open
            | Self::Read
            | Self::Write
            | Self::Map
            | Self::Protect
            | Self::Truncate
            | Self::Allocate
            | Self::FileClose
            | Self::Rename
            | Self::Link
            | Self::Symlink
            | Self::Delete
            | Self::Mode
            | Self::CgroupCreate
            | Self::CgroupRemove
            | Self::CgroupAttach
            | Self::Namespace
            | Self::BpfLoad
            | Self::ModuleLoad
            | Self::Mount
            | Self::MountMove => false,
        }
    }
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
    Fexit {
        program: &'static str,
        function: &'static str,
    },
    /// Addresses of sockets, at the root of the v2 hierarchy, so for every container below it.
    CgroupAddress {
        program: &'static str,
    },
    /// Sockets made and released, at the same place.
    CgroupSocket {
        program: &'static str,
    },
    /// Packets, at the same place.
    CgroupPacket {
        program: &'static str,
        direction: Direction,
    },
    /// Part of a program that another row attaches.
    With {
        program: &'static str,
        place: &'static str,
    },
    /// No program: the agent's own watch by `fanotify(7)`.
    Fanotify {
        event: FileEvent,
    },
}

/// Ways of attaching that an operator may want to do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Means {
    /// fentry and fexit
    Fentry,
    /// fanotify(7)
    Fanotify,
    /// Programs that see every packet: DNS
    Packet,
}

/// Which way packets go, as their socket sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

impl Attach {
    /// What an operator may have forbidden it by.
    #[must_use]
    pub fn means(self) -> Option<Means> {
        match self {
            Self::Fentry { .. } | Self::Fexit { .. } => Some(Means::Fentry),
            Self::Fanotify { .. } => Some(Means::Fanotify),
            Self::CgroupPacket { .. } => Some(Means::Packet),
            Self::RawTracepoint { .. }
            | Self::CgroupAddress { .. }
            | Self::CgroupSocket { .. }
            | Self::With { .. } => None,
        }
    }

    /// The function whose program is attached, or is part of.
    #[must_use]
    pub fn program(self) -> Option<&'static str> {
        match self {
            Self::RawTracepoint { program, .. }
            | Self::Fentry { program, .. }
            | Self::Fexit { program, .. }
            | Self::CgroupAddress { program }
            | Self::CgroupSocket { program }
            | Self::CgroupPacket { program, .. }
            | Self::With { program, .. } => Some(program),
            Self::Fanotify { .. } => None,
        }
    }

    /// The attach point as people write it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::RawTracepoint { tracepoint, .. } => format!("tracepoint {tracepoint}"),
            Self::Fentry { function, .. } => format!("fentry {function}"),
            Self::Fexit { function, .. } => format!("fexit {function}"),
            Self::CgroupAddress { program } | Self::CgroupSocket { program } => format!("cgroup {program}"),
            Self::CgroupPacket { direction: Direction::In, .. } => "cgroup ingress".to_owned(),
            Self::CgroupPacket { direction: Direction::Out, .. } => "cgroup egress".to_owned(),
            Self::With { place, .. } => place.to_owned(),
            Self::Fanotify { event } => event.name().to_owned(),
        }
    }
}

/// The name of a tier: of its places, each once.
#[must_use]
pub fn name(tier: Tier) -> String {
    let mut names: Vec<String> = tier.iter().map(|attach| attach.name()).collect();
    names.dedup();
    names.join(" + ")
}
