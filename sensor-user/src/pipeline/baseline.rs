//! What is normal for images, beside every event.

use std::sync::Arc;

use super::Pipeline;
use crate::event::Event;
use crate::state::baseline::{Baseline, Hours, destination_of, sent_of};

/// What was learned, and what is sent meanwhile. Neither where nobody asked for it.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    baseline: Option<Arc<Baseline>>,
    hours: Option<Hours>,
}

impl Novelty {
    pub(super) fn add_to(&mut self, event: &mut Event) {
        event.baseline.clone_from(&self.baseline);
        let (Some(hours), Some(container)) = (&mut self.hours, event.container.as_deref()) else { return };
        if let (Some(sent), Some(destination)) = (sent_of(event), destination_of(event)) {
            event.sent_in_hour = hours.add(&container.id, destination, sent, event.time);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.hours.as_ref().map_or(0, Hours::dropped)
    }
}

impl Pipeline {
    /// From now on rules can ask what is new for an image.
    pub fn set_baseline(&mut self, baseline: Arc<Baseline>) {
        self.novelty.baseline = Some(baseline);
        self.measure();
    }

    /// From now on events say how much was sent within the hour.
    pub fn measure(&mut self) {
        self.novelty.hours.get_or_insert_default();
    }
}
