//! What passed through the pipeline.

use crate::event::field::Category;

/// What passed through, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub records: u64,
    pub events: u64,
    /// The same by category, in the order of [`Category::ALL`].
    pub by_category: [u64; Category::ALL.len()],
    pub matches: u64,
    /// Matches that a filter kept back.
    pub suppressed: u64,
    /// Correlations that came true.
    pub correlated: u64,
    /// Matches that wait for a field that is not known yet.
    pub pending: u64,
    /// Files that were opened and are called like a secret, and are none by their whole path.
    pub no_secrets: u64,
    /// Events whose process was not known: it started before the sensor or its record was lost.
    pub unknown_process: u64,
    /// Connections from outside that ended before a process moved a byte over them.
    pub untaken_connections: u64,
    /// Packets of port 53 that are no DNS message.
    pub refused_names: u64,
}

impl Passed {
    pub(super) fn count(&mut self, category: Category) {
        self.events += 1;
        if let Some(count) = self.by_category.get_mut(category as usize) {
            *count += 1;
        }
    }
}
