//! Who moves how much over which connection: what the kernel tells of sockets, put together by process.

mod socket;
mod table;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::process::ProcessKey;

pub use table::{FlowTable, OpenConnection, Polled};

/// How often the kernel half's counters are read, nanoseconds, and so how often a connection that moves
/// data is told: a transfer that goes on is seen while it can still be stopped, and a thousand open
/// connections cost a millisecond.
pub const POLL: u64 = 5_000_000_000;

/// `IPPROTO_MPTCP` (include/uapi/linux/in.h): TCP to whoever uses it.
const MULTIPATH: u16 = 262;

/// Transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    /// Another IANA protocol number.
    Other(u16),
}

impl Protocol {
    /// The name Sigma and ECS use (`network.transport`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other(1 | 58) => "icmp",
            Self::Other(132) => "sctp",
            Self::Other(_) => "other",
        }
    }
}

impl From<u16> for Protocol {
    fn from(number: u16) -> Self {
        match number {
            6 | MULTIPATH => Self::Tcp,
            17 => Self::Udp,
            other => Self::Other(other),
        }
    }
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Outbound,
    Inbound,
    /// It was open before the sensor looked, or the process got the socket from another.
    Unknown,
}

impl Direction {
    /// The name ECS uses (`network.direction`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "egress",
            Self::Inbound => "ingress",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowState {
    /// It goes on: told every few seconds while it moves data.
    Open,
    /// It ended, or the process let go of it.
    Closed,
    /// It never came to be; the errno, zero when unknown.
    Failed(u32),
}

impl FlowState {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// IANA protocol number, or the kernel's own beyond 255.
    pub number: u16,
    /// Unspecified: anybody, by an unconnected socket; or many, by counters that had no room.
    pub address: IpAddr,
    pub port: u16,
}

impl End {
    #[must_use]
    pub fn protocol(self) -> Protocol {
        self.number.into()
    }

    /// Many ends, or not known which.
    fn many(number: u16) -> Self {
        Self { number, address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 }
    }

    /// Does the end of such a connection tell its own bytes ([`sensor_ebpf::wire::network::Close`])?
    fn is_counted_whole(self) -> bool {
        /// `IPPROTO_TCP`.
        const TCP: u16 = 6;
        self.number == TCP
    }

    /// `IPPROTO_MPTCP` (include/uapi/linux/in.h): not a number of IANA's.
    fn is_multipath(self) -> bool {
        self.number == MULTIPATH
    }

    /// The words of the address as records have it: IPv6, or IPv4 in its mapped form.
    fn words(self) -> [u32; 4] {
        let address = match self.address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        zerocopy::transmute!(address.octets())
    }
}

/// A socket comes into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// As in [`sensor_ebpf::wire::flow::FlowKey`].
    pub socket: u64,
    pub end: End,
    /// Unknown: the process was seen to move data over it, not to open it.
    pub direction: Direction,
    /// The socket is not connected.
    pub is_datagram: bool,
    /// One of the connections of a Multipath TCP connection.
    pub is_subflow: bool,
}

/// The address of a record.
pub(crate) fn address(octets: [u8; 16]) -> IpAddr {
    let address = Ipv6Addr::from(octets).to_canonical();
    if address.is_unspecified() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { address }
}

/// Payload bytes both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pub sent: u64,
    pub received: u64,
}

impl Bytes {
    fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            received: self.received.saturating_add(other.received),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(other.sent),
            received: self.received.saturating_sub(other.received),
        }
    }
}

/// What one process moved over one connection: news of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub process: ProcessKey,
    pub socket: u64,
    pub end: End,
    pub direction: Direction,
    /// False: the socket is not connected, the destination is that of its datagrams.
    pub connected: bool,
    /// Since the connection began, or since the sensor started.
    pub bytes: Bytes,
    /// Of these, what was not told before: over a connection they add up to the last `bytes`, or to more where
    /// its end tells less than was told (what was sent and never acknowledged).
    pub news: Bytes,
    pub state: FlowState,
}

#[cfg(test)]
mod tests;
