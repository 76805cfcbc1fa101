//! What a process gives up for good once it no longer needs it: capabilities, new privileges, files and ports
//! (Landlock), system calls (seccomp). Whoever takes over such a process has what is left, and no more.
//!
//! All of it must be called while there is one thread: capabilities and Landlock are each thread's own, and threads
//! that start later have what the first one has. Nothing here decides what is needed: that stands in
//! `agent/confine.rs` for the agent and in `keeper/serve.rs` for its keeper. docs/privilege.md has the whole picture.

mod capability;
mod call;
mod landlock;

use std::io;
use std::time::{Duration, Instant};

use rustix::thread::CapabilitySet;
use thiserror::Error;

pub use call::{Part, forbid};
pub use capability::{held, keep};
pub use landlock::{Grants, Ground, Ports, confine};

/// Threads that have done their work take a moment to go; beyond it they are there to stay.
const THREADS_GO: Duration = Duration::from_secs(1);

/// Why privileges could not be given up. Nothing may run that was to be without them.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    #[error("{0} threads run already, and what they have cannot be taken from them")]
    Threads(usize),
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(io::Error),
    #[error("capabilities were given up, and {0:?} is still there")]
    Left(CapabilitySet),
    #[error("the process cannot become a user of its own: {0}")]
    User(io::Error),
    #[error("no_new_privs cannot be set: {0}")]
    NoNewPrivileges(io::Error),
    #[error("Landlock does not take the rules: {0}")]
    Landlock(String),
    #[error("the list of system calls (seccomp) is not taken: {0}")]
    Calls(String),
}

impl PrivilegeError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Threads(_) => {
                "start it again; where it comes back it is a mistake of the sensor: report it"
            }
            Self::Capabilities(_) | Self::Left(_) | Self::User(_) => {
                "allow capset(2), setresuid(2), setgroups(2) and prctl(2) where a container or a service manager filters system calls"
            }
            Self::NoNewPrivileges(_) => {
                "allow prctl(2) where a container or a service manager filters system calls"
            }
            Self::Landlock(_) => {
                "allow landlock_create_ruleset(2) and its kin, or boot with `landlock` left out of lsm="
            }
            Self::Calls(_) => {
                "run a kernel with CONFIG_SECCOMP_FILTER=y, and allow seccomp(2) where calls are filtered"
            }
        }
    }
}

/// Waits until this is the only thread.
///
/// # Errors
/// There are others, and they stay.
pub fn await_alone() -> Result<(), PrivilegeError> {
    let begun = Instant::now();
    loop {
        // One that cannot be listed is counted as none: the calls that follow are checked one by one.
        let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        if threads <= 1 {
            return Ok(());
        }
        if begun.elapsed() >= THREADS_GO {
            return Err(PrivilegeError::Threads(threads));
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests;
