//! What is asked of the world: /proc, the container runtimes' files, mount tables, user names.
//!
//! Every function here does IO and returns values; `state` remembers them. Nothing waits for
//! somebody else: no socket, no lock, no file that could be a pipe or be served by an observed
//! process. Every read has a bound. The one exception is `runtime`, which asks sockets where the
//! configuration says so, and has bounds of its own.

pub mod capability;
pub mod procfs;
pub mod hierarchy;
pub mod container;
pub mod runtime;
pub mod mount;
pub mod user;
pub mod resource;
pub mod own;
pub mod fact;
mod file;

pub use file::FileError;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of the kernel half.
#[must_use]
pub fn boot_time() -> u64 {
    time(ClockId::Boottime)
}

/// `CLOCK_MONOTONIC`, nanoseconds: as [`boot_time`], but for the time that the machine slept.
#[must_use]
pub fn waking_time() -> u64 {
    time(ClockId::Monotonic)
}

/// `CLOCK_THREAD_CPUTIME_ID`, nanoseconds: what this thread has computed, whoever else had the processor meanwhile.
#[must_use]
pub fn thread_time() -> u64 {
    time(ClockId::ThreadCPUTime)
}

fn time(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or(0)
}
