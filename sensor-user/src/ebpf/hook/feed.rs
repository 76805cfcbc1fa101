//! What events come of each hook: so it is known what weakens when one is missing.
//!
//! A column of the table, kept by what makes a row fire: whoever adds a row cannot leave it out. Which detections that
//! concerns follows from their rules (`check::dependence`); no detection is named here.

use super::{Hook, Trial};
use crate::event::field::{Category, Field};

/// Something that events have from a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// All of it: no event is whole without.
    Every,
    /// Events of this category that say this.
    Event(Category, &'static [(Field, &'static str)]),
    /// What a field holds, in events of other hooks.
    Field(Field),
}

impl Hook {
    /// What events have from it.
    #[must_use]
    pub fn feeds(&self) -> &'static [Feed] {
        feeds(self.trial)
    }
}

const fn file(action: &'static [(Field, &'static str); 2]) -> Feed {
    Feed::Event(Category::FileEvent, action)
}

const fn system(action: &'static [(Field, &'static str); 1]) -> Feed {
    Feed::Event(Category::SystemChange, action)
}

const OPENED: Feed = file(&[(Field::FileAction, "open"), (Field::EventAction, "open")]);
const WRITTEN: Feed = file(&[(Field::FileAction, "write"), (Field::EventAction, "write")]);
const CLOSED: Feed = file(&[(Field::FileAction, "close"), (Field::EventAction, "close")]);
const RENAMED: Feed = file(&[(Field::FileAction, "rename"), (Field::EventAction, "rename")]);
const LINKED: Feed = file(&[(Field::FileAction, "link"), (Field::EventAction, "link")]);
const DELETED: Feed = file(&[(Field::FileAction, "delete"), (Field::EventAction, "delete")]);
const EXECUTABLE: Feed = file(&[(Field::FileAction, "mode"), (Field::EventAction, "mode")]);
const MAPPED: Feed = Feed::Event(
    Category::FileEvent,
    &[(Field::FileAction, "write"), (Field::EventAction, "write"), (Field::FileMapped, "true")],
);

const CGROUP_ATTACHED: Feed = system(&[(Field::EventAction, "cgroup_attach")]);
const NAMESPACE_ENTERED: Feed = system(&[(Field::EventAction, "namespace_enter")]);
const TRICKED: Feed = system(&[(Field::EventAction, "identity")]);
const BPF_LOADED: Feed = system(&[(Field::EventAction, "bpf_load")]);
const MODULE_LOADED: Feed = system(&[(Field::EventAction, "module_load")]);
const MOUNTED: Feed = system(&[(Field::EventAction, "mount")]);

const CONNECTED: Feed =
    Feed::Event(Category::NetworkConnection, &[(Field::Direction, "egress"), (Field::Initiated, "true")]);
const DATAGRAM: Feed = Feed::Event(
    Category::NetworkConnection,
    &[(Field::Direction, "egress"), (Field::Initiated, "true"), (Field::Protocol, "udp")],
);
const ACCEPTED: Feed =
    Feed::Event(Category::NetworkConnection, &[(Field::Direction, "ingress"), (Field::Initiated, "false")]);
const MOVING: Feed = Feed::Event(Category::NetworkFlow, &[(Field::FlowState, "open")]);
const ENDED: Feed =
    Feed::Event(Category::NetworkFlow, &[(Field::FlowState, "closed"), (Field::Protocol, "tcp")]);
const FAILED: Feed =
    Feed::Event(Category::NetworkFlow, &[(Field::FlowState, "failed"), (Field::Protocol, "tcp")]);
const RELEASED: Feed =
    Feed::Event(Category::NetworkFlow, &[(Field::FlowState, "closed"), (Field::Protocol, "udp")]);

/// By what makes it fire. A connection's events are fed by the hooks of its other family as well: what is missing of one
/// is missing for every detection that looks at connections.
fn feeds(trial: Trial) -> &'static [Feed] {
    match trial {
        Trial::Exec => &[Feed::Every],
        Trial::Fork => &[
            Feed::Field(Field::ParentImage),
            Feed::Field(Field::ParentCommandLine),
            Feed::Field(Field::ParentProcessId),
            Feed::Field(Field::AncestorImages),
        ],
        Trial::Exit | Trial::CgroupRemove => {
            &[Feed::Event(Category::ContainerEvent, &[(Field::ContainerAction, "end")])]
        }
        Trial::Access => &[Feed::Event(Category::ProcessAccess, &[(Field::EventAction, "access")])],
        Trial::Signal => &[Feed::Event(Category::ProcessAccess, &[(Field::EventAction, "signal")])],
        Trial::Connect4 | Trial::Connect6 => &[CONNECTED],
        Trial::Datagram4 | Trial::Datagram6 => &[DATAGRAM],
        Trial::Accept => &[ACCEPTED],
        Trial::Sent => &[
            MOVING,
            Feed::Field(Field::BytesSent),
            Feed::Field(Field::BytesSentNew),
            Feed::Field(Field::VolumeNewForImage),
        ],
        Trial::Received => &[
            MOVING,
            Feed::Field(Field::BytesReceived),
            Feed::Field(Field::BytesReceivedNew),
            Feed::Field(Field::ExeWriterBytesReceived),
        ],
        Trial::Close => &[ENDED, FAILED],
        Trial::Release => &[RELEASED],
        Trial::RawSocket => &[
            Feed::Event(Category::NetworkSocket, &[(Field::SocketType, "raw")]),
            Feed::Event(Category::NetworkSocket, &[(Field::SocketType, "packet")]),
            Feed::Event(Category::NetworkSocket, &[(Field::SocketType, "vsock")]),
            Feed::Event(Category::NetworkSocket, &[(Field::SocketType, "other")]),
        ],
        Trial::Unix => &[Feed::Event(Category::NetworkSocket, &[(Field::SocketType, "runtime")])],
        Trial::Query => &[Feed::Event(Category::DnsQuery, &[])],
        Trial::Answer => &[
            Feed::Event(Category::DnsQuery, &[]),
            Feed::Field(Field::DestinationHostname),
            Feed::Field(Field::DestinationNewForImage),
        ],
        Trial::Open => &[OPENED],
        Trial::Read => {
            &[Feed::Event(Category::FileAccess, &[(Field::FileAction, "read"), (Field::EventAction, "read")])]
        }
        Trial::Write | Trial::Truncate | Trial::Allocate => &[
            WRITTEN,
            Feed::Field(Field::ExeWritten),
            Feed::Field(Field::ExeWriterImage),
            Feed::Field(Field::ExeWriterCommandLine),
            Feed::Field(Field::ExeWriterBytesReceived),
        ],
        Trial::Map | Trial::Protect => &[MAPPED, Feed::Field(Field::ExeWritten)],
        Trial::FileClose => &[CLOSED, Feed::Field(Field::BytesWritten)],
        Trial::Rename => &[RENAMED, Feed::Field(Field::ExeWritten), Feed::Field(Field::ExeWriterImage)],
        Trial::Link | Trial::Symlink => &[LINKED],
        Trial::Delete => &[DELETED],
        Trial::Mode => &[EXECUTABLE],
        Trial::CgroupCreate => &[Feed::Event(Category::ContainerEvent, &[(Field::ContainerAction, "start")])],
        Trial::CgroupAttach => &[
            CGROUP_ATTACHED,
            TRICKED,
            Feed::Field(Field::CgroupContainerId),
            Feed::Field(Field::IdentityTrick),
        ],
        Trial::Namespace => &[
            NAMESPACE_ENTERED,
            TRICKED,
            Feed::Field(Field::MountContainerId),
            Feed::Field(Field::PidContainerId),
            Feed::Field(Field::IdentityTrick),
        ],
        Trial::BpfLoad => &[BPF_LOADED],
        Trial::ModuleLoad => &[MODULE_LOADED],
        Trial::Mount | Trial::MountMove => &[MOUNTED],
    }
}
