//! Records of the network family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Header;

/// [`super::Kind::NetworkConnect`]: the kernel's own copy of the destination, taken in the caller's
/// context (cgroup `connect4/6`, `sendmsg4/6`), so a thread that rewrites user memory changes nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Connect {
    pub header: Header,
    /// Socket cookie: joins the connection with its [`Close`].
    pub cookie: u64,
    /// Destination: IPv6, or IPv4 in its mapped form (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2).
    pub address: [u8; 16],
    /// Destination port, host order.
    pub port: u16,
    /// `IPPROTO_TCP` 6, `IPPROTO_UDP` 17, or another.
    pub protocol: u16,
    /// [`Connect::DATAGRAM`] and its sisters.
    pub flags: u32,
}

impl Connect {
    /// Seen at `sendmsg` of an unconnected socket, not at `connect`.
    pub const DATAGRAM: u32 = 1;
    /// The socket was made for IPv6, whatever the destination.
    pub const IPV6_SOCKET: u32 = 2;
}

/// [`super::Kind::NetworkClose`]: a TCP connection that reached the established state has ended.
/// The header's actor is whoever ran then, often not the owner: join by cookie.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Close {
    pub header: Header,
    /// Socket cookie as in [`Connect`].
    pub cookie: u64,
    /// Payload bytes sent and acknowledged or in flight, retransmissions not counted twice.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
}
