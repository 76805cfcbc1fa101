//! The loop's part in counting bytes: rows of the kernel half's map of flows, read from time to time and taken out when their
//! socket is going.

use tracing::debug;

use super::{Agent, facts};
use crate::decode::{Body, Record};
use crate::ebpf::flow::FlowRows;
use crate::pipeline::Pipeline;

impl Agent {
    /// Reads what moved over which socket.
    pub(super) fn poll(&mut self) {
        let Self { kernel, pipeline, facts, .. } = self;
        let rows = kernel.flows.read();
        for key in pipeline.poll(facts::now(), &rows, facts) {
            if let Err(error) = kernel.flows.remove(&key) {
                debug!(%error, ?key, "a row of the flow map stays");
            }
        }
        self.observe();
    }
}

/// Reads what moved last over a socket that a record says is going.
pub(super) fn take_rows(flows: &mut FlowRows, pipeline: &mut Pipeline, record: &Record) {
    let is_end = matches!(record.body, Body::Close(_));
    for key in pipeline.wanted_rows(record) {
        if is_end && let Some(row) = flows.look(&key) {
            // A connection ended and a process still has its socket: it may read what lies there.
            pipeline.row_held(record.time, &key, &row);
        } else {
            pipeline.row_taken(record.time, &key, flows.take(&key).as_ref());
        }
    }
}
