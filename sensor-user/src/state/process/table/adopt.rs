//! Processes whose cgroup turned out to be a container's after they were seen.

use std::sync::Arc;

use super::super::ProcessKey;
use super::{ProcessTable, Slot};

impl ProcessTable {
    /// The cgroup is this container's: so are the processes in it that were in none, ended ones included. Gives
    /// them.
    /// Looks at all processes; to be called once for a container that came late, which is rare.
    pub fn adopt(&mut self, cgroup_id: u64, container: &Arc<str>) -> Vec<ProcessKey> {
        let adopted = |(slot, entry): (&Slot, &super::Entry)| {
            Some((*slot, entry.memory.adopted(cgroup_id, container)?))
        };
        let adopted: Vec<_> = self.entries.iter().filter_map(adopted).collect();
        let keys = adopted.iter().map(|(_, memory)| memory.key()).collect();
        for (slot, memory) in adopted {
            self.replace(slot, memory);
        }
        keys
    }
}
