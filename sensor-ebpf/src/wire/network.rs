//! Records of the network family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::text::Text;
use super::{FileId, Header};

/// [`super::Kind::NetworkConnect`]: the kernel's own copy of the destination, taken in the caller's
/// context (cgroup `connect4/6`, `sendmsg4/6`), so a thread that rewrites user memory changes nothing.
/// [`super::Kind::NetworkAccept`] and [`super::Kind::NetworkFlow`]: the other end by the socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Connect {
    pub header: Header,
    /// As in [`super::flow::FlowKey`]: joins the connection with its [`Close`].
    pub socket: u64,
    /// The other end: IPv6, or IPv4 in its mapped form (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2).
    pub address: [u8; 16],
    /// Port of the other end, host order.
    pub port: u16,
    /// `IPPROTO_TCP` 6, `IPPROTO_UDP` 17, or another.
    pub protocol: u16,
    /// [`Connect::DATAGRAM`] and its sisters.
    pub flags: u32,
}

impl Connect {
    /// The socket is not connected: seen at `sendmsg`, or by its traffic.
    pub const DATAGRAM: u32 = 1;
    /// The socket was made for IPv6, whatever the destination.
    pub const IPV6_SOCKET: u32 = 2;
    /// The other end opened the connection.
    pub const INBOUND: u32 = 4;
    /// Seen by its traffic: nobody was seen to open it.
    pub const FIRST_TRAFFIC: u32 = 8;
    /// The actor is whoever was interrupted: only its `cgroup_id`, the socket's, means something.
    pub const NO_ACTOR: u32 = 16;
    /// One of the connections that make up a Multipath TCP connection.
    pub const SUBFLOW: u32 = 32;
}

/// [`super::Kind::NetworkClose`]: a TCP connection has ended, or, with [`Close::SHARE`], a process let
/// go of a socket. Without that the header's actor is whoever ran then, often not the owner: join by
/// socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Close {
    pub header: Header,
    /// As in [`Connect`].
    pub socket: u64,
    /// Payload bytes sent and acknowledged or in flight, retransmissions not counted twice.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// [`Close::FAILED`] and its sisters.
    pub flags: u32,
    /// Why it failed, an errno (`sk_err`); zero when unknown.
    pub error: u32,
}

impl Close {
    /// The connection was never established.
    pub const FAILED: u32 = 1;
    /// Not the connection's bytes but those of the actor, which let go of the socket.
    pub const SHARE: u32 = 2;
}

/// [`super::Kind::NetworkSocket`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Socket {
    pub header: Header,
    /// `AF_INET` 2, `AF_INET6` 10, `AF_PACKET` 17, `AF_VSOCK` 40.
    pub family: u16,
    /// `SOCK_RAW` 3 and others (include/linux/net.h).
    pub kind: u16,
    pub protocol: u16,
    /// [`Socket::USED`].
    pub flags: u16,
}

impl Socket {
    /// Seen by its traffic, not when it was made.
    pub const USED: u16 = 1;
}

/// [`super::Kind::NetworkUnix`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UnixConnect {
    pub header: Header,
    /// The socket's file.
    pub file: FileId,
    pub reserved: u32,
    /// Its path, components, below the root of its file system.
    pub path: Text,
}

/// [`super::Kind::NetworkDns`]: the message as it passed, up to [`super::text::DNS_MAX`] bytes. The actor
/// of an answer is whoever was interrupted; its `cgroup_id` is the socket's.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Dns {
    pub header: Header,
    /// As in [`Connect`]; zero when unknown.
    pub socket: u64,
    /// The name server, as in [`Connect::address`].
    pub address: [u8; 16],
    /// [`Dns::ANSWER`] and its sisters.
    pub flags: u32,
    /// The message, from its transaction id on (RFC 1035, section 4.1.1).
    pub message: Text,
}

impl Dns {
    /// Comes from the name server.
    pub const ANSWER: u32 = 1;
    /// Over TCP: the message begins with its length (RFC 1035, section 4.2.2), if it begins here.
    pub const TCP: u32 = 2;
}
