//! Deeds of processes.

use std::fs::File;
use std::io;
use std::process::{Child, Command, Stdio};

use rustix::event::Timespec;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::setting::trial;

use super::{Proof, Prover, unprovable, wait};

/// The child takes 2 ms, in an emulated machine a hundred times that.
const CHILD_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

impl Prover<'_> {
    /// A child counts as the agent's own doing for just this long.
    pub(super) fn child(&mut self, kind: Kind) -> Proof {
        if let Err(error) = self.set(trial::CHILDREN, 1) {
            return unprovable(error);
        }
        let proof = self.moves(kind, child);
        self.set(trial::CHILDREN, 0).map_or_else(unprovable, |()| proof)
    }
}

/// Runs this executable for its version, from start to end.
fn child() -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = end(&child);
    if ended.is_err() {
        // Of use only against a child that hangs; one that has ended is waited for all the same.
        child.kill()?;
    }
    child.wait()?;
    ended
}

/// Waits for its end, at most [`CHILD_MAX`].
fn end(child: &Child) -> io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    wait(pidfd_open(pid, PidfdFlags::empty())?, &CHILD_MAX)
}

/// Opens the memory of the one process that is always there, and closes it unread: for that the kernel asks
/// whether the agent may attach to it (`proc_mem_open`, fs/proc/base.c).
pub(super) fn reach() -> io::Result<()> {
    File::open("/proc/1/mem").map(drop)
}

/// Sends the agent a signal that it ignores, as every process does that did not ask for it (signal(7)).
pub(super) fn signal() -> io::Result<()> {
    Ok(kill_process(getpid(), Signal::URG)?)
}
