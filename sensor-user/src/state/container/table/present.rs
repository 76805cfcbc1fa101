//! Containers that are there now, each by itself. Changes nothing in the table.

use std::sync::Arc;

use super::ContainerTable;
use crate::state::container::Container;

/// A container that has not ended, by itself.
#[derive(Clone, Debug)]
pub struct Present {
    pub container: Arc<Container>,
    /// Ids of the containers around it, the outermost first.
    pub outer: Vec<Arc<str>>,
    /// When its first program started, `CLOCK_BOOTTIME` nanoseconds.
    pub began: Option<u64>,
}

impl ContainerTable {
    /// Whether the container is known and has not ended.
    #[must_use]
    pub fn is_present(&self, id: &str) -> bool {
        self.containers.get(id).is_some_and(|entry| entry.ended.is_none())
    }

    /// Containers that have not ended, in no order.
    pub fn present(&self) -> impl Iterator<Item = Present> {
        self.containers.values().filter(|entry| entry.ended.is_none()).map(|entry| Present {
            container: Arc::clone(&entry.container),
            outer: entry.outer.clone(),
            began: entry.began.map(|(time, _)| time),
        })
    }
}
