//! Bytes per process and socket: the map `FLOWS`, which programs fill and the agent reads.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Whose bytes over which socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FlowKey {
    /// Names the socket while it lives: its address in the kernel.
    pub socket: u64,
    /// Thread group id of the process that moved the bytes, whoever made the socket.
    pub pid: u32,
    /// Tells the destinations of an unconnected socket apart; zero for a connected one.
    pub digest: u32,
}

/// What one process moved over one socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Flow {
    /// Payload bytes that the kernel took from the process.
    pub sent: u64,
    /// Payload bytes that the kernel gave to the process.
    pub received: u64,
    /// Start of the process, as [`super::Actor::start_time`].
    pub start_time: u64,
    pub cgroup_id: u64,
    /// The other end, as in [`super::network::Connect`].
    pub address: [u8; 16],
    pub port: u16,
    pub protocol: u16,
    /// As in [`super::network::Connect`].
    pub flags: u32,
}
