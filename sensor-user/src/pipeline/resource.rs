//! What containers use: whose turn it is to be read, and who uses much more than before.

use std::sync::Arc;

use super::{Host, Pipeline};
use crate::event::Body;
use crate::event::field::Category;
use crate::state::resource::ResourceReading;

impl Pipeline {
    /// Containers to read now, each with the number of its first process, at most `max`: those that were not read
    /// for longest. None where nobody would be told.
    #[must_use]
    pub fn to_measure(&self, max: usize) -> Vec<(Arc<str>, u32)> {
        if self.observed.is_none() && !self.engine.watches(Category::ContainerResource.id()) {
            return Vec::new();
        }
        let mut waiting: Vec<_> = self
            .lives
            .present()
            .map(|(id, first)| (self.resources.read_at(id), Arc::clone(id), first.key.pid))
            .collect();
        waiting.sort_unstable();
        waiting.into_iter().take(max).map(|(_, id, pid)| (id, pid)).collect()
    }

    /// Takes in what was read of a container, and tells what it uses far more of than before. The first process
    /// known of it stands for it.
    pub fn measured(&mut self, now: u64, id: &Arc<str>, reading: ResourceReading, host: &mut impl Host) {
        let Some(first) = self.lives.first(id) else { return };
        for used in self.resources.read(id, now, reading) {
            let process = self.resident(id, &first);
            self.passed.count(Category::ContainerResource);
            self.event_of(now, process, Body::ContainerResource(used), host);
        }
    }
}
