//! Processes whose cgroup turned out to be a container's after they were seen.

use super::{ProcessKey, ProcessTable};

impl ProcessTable {
    /// Processes in this cgroup that are in no container that is known, the oldest first, ended ones included.
    /// Looks at all; to be asked once for a container that came late, which is rare.
    #[must_use]
    pub fn strangers(&self, cgroup_id: u64) -> Vec<ProcessKey> {
        let memories = self.entries.values().map(|entry| &entry.memory);
        let strangers = memories.filter(|memory| memory.is_stranger(cgroup_id));
        let mut strangers: Vec<ProcessKey> = strangers.map(super::entry::Memory::key).collect();
        strangers.sort_unstable_by_key(|key| (key.start_time, key.pid));
        strangers
    }
}
