//! What this process may use, and whether another sensor uses it already.

use super::{Check, Fact, Finding, Problem, Unread};
use crate::host::capability::{Capability, Sets};

/// From this Linux on maps count against the cgroup's memory instead (kernel commit 3ac1f01b43b6).
const CHARGED_UNTIL: (u32, u32) = (5, 11);
/// What the maps and programs take, bytes, with room: the ring alone has 4 MiB.
const LOCKED_MIN: u64 = 64 << 20;
/// The agent has some 50 MiB after days of work, and the maps are counted with it; less is no room for a busy hour.
const MEMORY_MIN: u64 = 128 << 20;

const MEBIBYTE: u64 = 1 << 20;

/// By the kernel's version, the limit (none: unlimited) and what this process may do.
#[must_use]
pub fn locked_memory(version: Option<(u32, u32)>, limit: Option<u64>, sets: Option<&Sets>) -> Finding {
    if version.is_none_or(|version| version >= CHARGED_UNTIL) {
        return Finding::good(Check::LockedMemory, "maps do not count against it on this kernel");
    }
    match limit {
        None => Finding::good(Check::LockedMemory, "unlimited"),
        Some(limit) if limit >= LOCKED_MIN => {
            Finding::good(Check::LockedMemory, format!("{} MiB", limit / MEBIBYTE))
        }
        Some(_) if sets.is_some_and(|sets| sets.has(Capability::SYS_RESOURCE)) => {
            Finding::good(Check::LockedMemory, "the sensor raises it")
        }
        Some(limit) => Finding::problem(Problem::LockedMemoryLow, format!("{} KiB", limit / 1024)),
    }
}

/// By the lowest limit of this process's cgroup and those above it (none: unlimited).
#[must_use]
pub fn memory(limit: &Fact<Option<u64>>) -> Finding {
    match limit {
        Ok(None) => Finding::good(Check::Memory, "as much as there is"),
        Ok(Some(limit)) if *limit < MEMORY_MIN => {
            Finding::problem(Problem::MemoryLow, format!("{} MiB", limit / MEBIBYTE))
        }
        Ok(Some(limit)) => Finding::good(Check::Memory, format!("{} MiB", limit / MEBIBYTE)),
        Err(error) => Finding::unknown(Check::Memory, error.to_string()),
    }
}

/// By who answers at the control socket.
#[must_use]
pub fn agent(socket: Option<&str>, pid: &Fact<i32>) -> Finding {
    let Some(socket) = socket else {
        return Finding::good(Check::Agent, "not looked for: no socket is configured");
    };
    match pid {
        Ok(pid) => Finding::problem(Problem::AgentRuns, format!("pid {pid} answers at {socket}")),
        Err(Unread::Absent) => Finding::good(Check::Agent, "none"),
        Err(error) => Finding::unknown(Check::Agent, format!("{socket}: {error}")),
    }
}
