//! Connections that go on, as they are now. Changes nothing in the table and tells nothing as news.

use sensor_ebpf::wire::flow::FlowKey;

use super::super::{Bytes, FlowState, Part};
use super::FlowTable;
use crate::state::process::ProcessKey;

/// What one process has of a connection that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenConnection {
    pub part: Part,
    /// When the sensor first saw the socket, `CLOCK_BOOTTIME` nanoseconds.
    pub since: u64,
}

impl FlowTable {
    /// Every connection that has not ended, once for each process that has a share in it, in no order. A
    /// further way of a Multipath TCP connection is no connection of its own.
    pub fn open(&self) -> impl Iterator<Item = OpenConnection> {
        let sockets = self.sockets.iter().filter(|(_, socket)| socket.ended.is_none() && !socket.is_subflow);
        sockets.flat_map(|(id, socket)| {
            let shares = socket.shares.iter().filter(|share| !share.is_over);
            let moved = shares.filter_map(|share| socket.part(*id, share, FlowState::Open));
            // Bytes from anywhere to a socket without one destination belong to no connection.
            let moved = moved.filter(|part| part.end.port != 0 || part.bytes != Bytes::default());
            let has_share = |owner: ProcessKey| {
                socket.shares.iter().any(|share| share.process == owner && share.digest == CONNECTED)
            };
            // Whoever connected has it, also before a byte moved.
            let idle = socket.owner.filter(|owner| !has_share(*owner));
            let idle = idle.and_then(|_| socket.part_of_owner(*id, Bytes::default(), FlowState::Open));
            moved.chain(idle).map(|part| OpenConnection { part, since: socket.since })
        })
    }
}

/// [`FlowKey::digest`] of a connected socket.
const CONNECTED: u32 = 0;
const _: () = assert!(FlowKey::FROM_ANYWHERE != CONNECTED);
