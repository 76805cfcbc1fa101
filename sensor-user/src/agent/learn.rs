//! Learning beside the loop: names that came late, and how far it is.

use tracing::info;

use super::report::Reporter;
use crate::pipeline::Pipeline;
use crate::state::baseline::Learner;
use crate::state::process::Resident;

/// Takes in the names of images that have come since. To be called before containers are forgotten.
pub(super) fn settle(reporter: &mut Reporter, pipeline: &Pipeline) {
    let Some(learner) = reporter.learner() else { return };
    let before = learner.told;
    learner.settle(|id| pipeline.containers.get(id));
    let now = learner.progress();
    if now != before {
        learner.told = now;
        let (images, executables, destinations, unnamed) = now;
        info!(images, executables, destinations, unnamed, "learning");
    }
}

/// What was learned, if that was asked for. What runs and did nothing meanwhile is normal, too.
pub(super) fn finish(reporter: &mut Reporter, pipeline: &Pipeline) -> Option<Learner> {
    let mut learner = reporter.take_learner()?;
    for process in pipeline.processes.residents().map(Resident::process) {
        let container = process.container.as_deref().and_then(|id| pipeline.containers.get(id));
        if let Some(container) = container {
            learner.running(&container, &process.executable);
        }
    }
    learner.settle(|id| pipeline.containers.get(id));
    Some(learner)
}
