//! Processes whose cgroup turned out to be a container's after they were seen.

use std::sync::Arc;

use super::{ProcessTable, Slot};

impl ProcessTable {
    /// The cgroup is this container's: so are the processes in it that were in none, ended ones included.
    /// Looks at all processes; to be called once for a container that came late, which is rare.
    pub fn adopt(&mut self, cgroup_id: u64, container: &Arc<str>) -> usize {
        let adopted = |(slot, entry): (&Slot, &super::Entry)| {
            Some((*slot, entry.memory.adopted(cgroup_id, container)?))
        };
        let adopted: Vec<_> = self.entries.iter().filter_map(adopted).collect();
        let count = adopted.len();
        for (slot, memory) in adopted {
            self.replace(slot, memory);
        }
        count
    }
}
