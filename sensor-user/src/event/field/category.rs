//! The log sources of this sensor: which kinds of records rules can ask for.

use sigma::LogSourceId;

/// The records that rules can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Category {
    ProcessCreation,
    ProcessAccess,
    NetworkConnection,
    NetworkFlow,
    NetworkSocket,
    DnsQuery,
    FileEvent,
    FileAccess,
    SystemChange,
    ContainerEvent,
    ContainerResource,
}

impl Category {
    pub const ALL: [Self; 11] = [
        Self::ProcessCreation,
        Self::ProcessAccess,
        Self::NetworkConnection,
        Self::NetworkFlow,
        Self::NetworkSocket,
        Self::DnsQuery,
        Self::FileEvent,
        Self::FileAccess,
        Self::SystemChange,
        Self::ContainerEvent,
        Self::ContainerResource,
    ];

    /// As `logsource.category` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessCreation => "process_creation",
            Self::ProcessAccess => "process_access",
            Self::NetworkConnection => "network_connection",
            Self::NetworkFlow => "network_flow",
            Self::NetworkSocket => "network_socket",
            Self::DnsQuery => "dns_query",
            Self::FileEvent => "file_event",
            Self::FileAccess => "file_access",
            Self::SystemChange => "system_change",
            Self::ContainerEvent => "container_event",
            Self::ContainerResource => "container_resource",
        }
    }

    #[must_use]
    pub const fn id(self) -> LogSourceId {
        LogSourceId(self as u16)
    }
}
