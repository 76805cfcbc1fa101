//! Containers that come late: a cgroup that no path tells of, whose runtime says that it is a container's.

use std::sync::Arc;

use super::Pipeline;
use super::identity::place;
use crate::state::container::{CgroupIdentity, Container};
use crate::state::standing::Claim;

impl Pipeline {
    /// Cgroups that may be containers', with their paths: whose runtimes should be asked now.
    pub fn strangers(&mut self, now: u64) -> Vec<(u64, String)> {
        self.strangers.due(now)
    }

    /// A cgroup turned out to be a container's: so are the processes in it, ended ones included.
    pub fn adopt(&mut self, cgroup_id: u64, container: Container) {
        let Some(life) = self.strangers.found(cgroup_id) else { return };
        let identity = CgroupIdentity {
            id: container.id.clone(),
            runtime: container.runtime,
            pod_uid: container.pod_uid.clone(),
            outer: Vec::new(),
            user: None,
        };
        let id = self.containers.see(cgroup_id, &identity, life.began);
        self.containers.complete(&id, container);
        let claim = Claim::Container(Arc::clone(&id));
        for key in self.processes.strangers(cgroup_id) {
            let Some(process) = self.processes.get(key) else { continue };
            // As one found at start: the first look at it that says anything.
            let sight = place(&process);
            if self.is_of_host(sight) {
                // The runtime itself, on its way in. Its next program is judged as any other's.
                continue;
            }
            let (container, standing) = self.first_look(key, sight, &claim, process.exec_time);
            self.processes
                .amend(key, |process| (process.container, process.standing) = (container, standing));
        }
        if let Some(time) = life.ended {
            self.containers.ended(cgroup_id, time);
            self.lives.ended(&id, time);
        }
    }
}
