//! What the pipeline asks of this host, answered from memory or one bounded read.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use tracing::debug;

use crate::host::mount;
use crate::host::user::UserNames;
use crate::pipeline::Host;
use crate::state::mount::Mounts;

/// User names and mount tables of this host.
pub(super) struct Facts {
    users: UserNames,
    mounts: Mounts,
}

impl Facts {
    /// Reads the host's own mounts to begin with.
    pub(super) fn read() -> Self {
        let mounts = mount::host(now()).unwrap_or_else(|error| {
            debug!(%error, "paths below a container's root stay paths of the host");
            Mounts::default()
        });
        Self { users: UserNames::new(mounts.host_ns()), mounts }
    }

    fn refresh(&mut self, mnt_ns: u32, pid: u32, now: u64) {
        for (namespace, pid) in [(self.mounts.host_ns(), 1), (mnt_ns, pid)] {
            if let Err(error) = mount::refresh(&mut self.mounts, namespace, pid, now) {
                debug!(%error, namespace, "mount table not read");
            }
        }
    }
}

impl Host for Facts {
    fn entered(&mut self, mnt_ns: u32, pid: u32, now: u64) {
        self.refresh(mnt_ns, pid, now);
    }

    fn user(&mut self, uid: u32, pid: u32, mnt_ns: u32, now: u64) -> Option<Arc<str>> {
        self.users.name(uid, pid, mnt_ns, now)
    }

    fn path(&mut self, device: u32, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String> {
        self.refresh(mnt_ns, pid, now);
        self.mounts.resolve(device, path, mnt_ns)
    }

    fn path_of_host(&mut self, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String> {
        self.refresh(mnt_ns, pid, now);
        self.mounts.resolve_host(path, mnt_ns)
    }

    fn is_overlay_scratch(&self, path: &str, mnt_ns: u32) -> bool {
        self.mounts.is_overlay_scratch(path, mnt_ns)
    }
}

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of the kernel half.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or(0)
}
