//! Reads what containers use, in turns.

use super::{Agent, facts};

/// Most containers read in one turn: three small files each, some 50 microseconds, so the loop waits for some
/// 3 ms. Where there are more, each is read less often, and two minutes of samples take longer.
const MEASURED_MAX: usize = 64;

impl Agent {
    /// Reads those whose turn it is. One that cannot be read is left out.
    pub(super) fn measure(&mut self) {
        let Self { pipeline, facts, meter, .. } = self;
        for (id, pid) in pipeline.to_measure(MEASURED_MAX) {
            let reading = meter.measure(&id, pid);
            pipeline.measured(facts::now(), &id, reading, facts);
        }
        let pipeline = &self.pipeline;
        self.meter.keep(|id| pipeline.containers.is_present(id));
        self.observe();
    }
}
