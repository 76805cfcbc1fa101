//! The live picture: who runs now, in which container, over which connections.
//!
//! It is taken in the one task of the loop, so it only counts up references; names of users, texts and
//! order are the business of whoever shows it.

use std::sync::Arc;

use sensor_ebpf::wire::flow::{Flow as Row, FlowKey};

use super::Pipeline;
use crate::state::container::Present;
use crate::state::flow::OpenConnection;
use crate::state::process::Resident;

/// Most connections of a picture: twice what the flow table has sockets. What one unconnected socket sent
/// to hundreds of destinations must not push out the rest of the host; the others are counted.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct Picture {
    /// When it was taken, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    /// Containers that have not ended.
    pub containers: Vec<Present>,
    /// All processes that live.
    pub processes: Vec<Resident>,
    pub connections: Vec<Named>,
    /// Connections beyond [`CONNECTIONS_MAX`].
    pub connections_omitted: u64,
}

/// A connection with the name that was asked for its other end.
#[derive(Clone, Debug)]
pub struct Named {
    pub connection: OpenConnection,
    pub hostname: Option<Arc<str>>,
}

impl Pipeline {
    /// Takes the picture. Counters that the kernel half keeps are as they were at the last
    /// [`Pipeline::poll`] or [`Pipeline::refresh`].
    #[must_use]
    pub fn picture(&self, now: u64) -> Picture {
        let Self { processes, containers, flows, names, .. } = self;
        let mut all = flows.open();
        let mut connections = Vec::new();
        for connection in all.by_ref().take(CONNECTIONS_MAX) {
            let process = connection.part.process;
            if !processes.is_live(process).unwrap_or(false) {
                continue;
            }
            let scope = processes.container(process);
            let hostname = names.name(scope, connection.part.end.address, now);
            connections.push(Named { connection, hostname });
        }
        Picture {
            time: now,
            connections_omitted: all.count() as u64,
            containers: containers.present().collect(),
            processes: processes.residents().collect(),
            connections,
        }
    }

    /// Takes in how far all rows are, without telling it as news: that is [`Pipeline::poll`]'s.
    pub fn refresh(&mut self, now: u64, rows: &[(FlowKey, Row)]) {
        for (key, row) in rows {
            self.flows.row(now, key, row, false);
        }
    }
}
