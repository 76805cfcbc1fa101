//! The programs, one file per family. Above each stand the kernel's prototype and where it is called.

mod process;
mod network;
mod file;
mod system;

use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::counter::AggregateKey;

use crate::emit::{self, Ticket};
use crate::task::Current;

/// The ticket for something that the current process does. None: it is the agent's own doing, or beyond the
/// limit of its cgroup, and counted as that.
#[inline(always)]
fn admit(kind: Kind, current: Current) -> Option<Ticket> {
    if current.is_agent() {
        emit::own(kind);
        return None;
    }
    within_limit(Ticket::new(kind, current.cgroup_id()), current.pid)
}

/// The ticket, unless it is beyond the limit of its cgroup: then it is counted by process.
#[inline(always)]
fn within_limit(ticket: Ticket, pid: u32) -> Option<Ticket> {
    if ticket.is_within_limit() {
        return Some(ticket);
    }
    ticket.aggregate(AggregateKey {
        cgroup_id: 0,
        address: [0; 16],
        epoch: 0,
        pid,
        kind: 0,
        protocol: 0,
        port: 0,
        reserved: 0,
    });
    None
}
