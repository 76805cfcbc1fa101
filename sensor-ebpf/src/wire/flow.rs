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

impl FlowKey {
    /// [`FlowKey::digest`] of what an unconnected socket receives.
    pub const FROM_ANYWHERE: u32 = 1;

    /// [`FlowKey::digest`] of a destination of an unconnected socket: the words of the address as they are
    /// in memory, the port in host order. Never 0 nor [`FlowKey::FROM_ANYWHERE`].
    #[inline(always)]
    #[must_use]
    pub const fn digest(address: [u32; 4], port: u16) -> u32 {
        /// 2^32 divided by the golden ratio: spreads neighbours (Knuth, The Art of Computer Programming 6.4).
        const SPREAD: u32 = 0x9e37_79b9;
        let mut digest = port as u32;
        digest = digest.wrapping_mul(SPREAD) ^ address[0];
        digest = digest.wrapping_mul(SPREAD) ^ address[1];
        digest = digest.wrapping_mul(SPREAD) ^ address[2];
        digest = digest.wrapping_mul(SPREAD) ^ address[3];
        digest.wrapping_mul(SPREAD) | 2
    }
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
