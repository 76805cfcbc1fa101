//! The programs, one file per family. Above each stand the kernel's prototype and where it is called.

mod process;
mod network;
mod file;
mod system;

use sensor_ebpf::wire::counter::AggregateKey;

use crate::task::Current;

/// What many doings of one process have in common, for [`crate::emit::Ticket::aggregate`].
#[inline(always)]
fn by_process(current: Current) -> AggregateKey {
    AggregateKey {
        cgroup_id: 0,
        address: [0; 16],
        epoch: 0,
        pid: current.pid,
        kind: 0,
        protocol: 0,
        port: 0,
        reserved: 0,
    }
}
