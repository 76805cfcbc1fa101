//! What one process does to another: here always to a child of its own, which waits for it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, ensure};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::child::{Child, number, pipe};
use crate::group::Group;
use crate::request::Request;
use crate::sys::memory::Pages;
use crate::sys::trace::{Trace, process_vm_writev, ptrace};
use crate::table::{Deed, deed, privileged};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("system", "ptrace_attach", |_| on_child(attach)),
    deed("system", "ptrace_seize", |_| on_child(seize)),
    deed("system", "process_vm_writev", |_| {
        overwrite(|pid, address| Ok(process_vm_writev(pid, address, &[WRITTEN])?))
    }),
    deed("system", "proc_mem", |_| {
        overwrite(|pid, address| {
            let path = format!("/proc/{}/mem", number(pid));
            let memory = OpenOptions::new().write(true).open(&path).with_context(|| path.clone())?;
            memory.write_at(&[WRITTEN], address).with_context(|| path)
        })
    }),
    deed("system", "signal", signal),
    privileged("system", "cgroup_move", cgroup_move),
];

/// Bytes of the memory that is written to.
const LENGTH: usize = 4096;

/// What is written.
const WRITTEN: u8 = b'w';

/// A child that waits to be acted on.
struct Target {
    child: Child,
    /// It waits until a byte comes out of this.
    gate: OwnedFd,
}

impl Target {
    /// A child that waits for a byte, and then tells the first byte of `memory`.
    fn start(memory: &Pages) -> Result<Self> {
        let (wait, gate) = pipe()?;
        let child = Child::start(|| {
            rustix::io::read(&wait, &mut [0_u8; 1])?;
            Ok(Truth::new().with("first", memory.first()))
        })?;
        Ok(Self { child, gate })
    }

    /// Lets it end; what it told.
    fn finish(self) -> Result<Truth> {
        rustix::io::write(&self.gate, &[0])?;
        self.child.finish()
    }
}

/// Acts on a child.
fn on_child(act: impl FnOnce(Pid) -> Result<()>) -> Result<Truth> {
    let memory = Pages::new(LENGTH)?;
    let target = Target::start(&memory)?;
    let pid = target.child.pid;
    act(pid)?;
    target.finish()?;
    Ok(Truth::new().with("target_pid", number(pid)))
}

/// Writes one byte into a child's memory, where this process has the same pages.
fn overwrite(act: impl FnOnce(Pid, u64) -> Result<usize>) -> Result<Truth> {
    let memory = Pages::new(LENGTH)?;
    let target = Target::start(&memory)?;
    let pid = target.child.pid;
    let written = act(pid, memory.address())?;
    let told = target.finish()?;
    ensure!(told.number("first") == Some(WRITTEN.into()), "the child's memory is as it was: {}", told.line());
    ensure!(memory.first() == 0, "this process wrote its own memory");
    Ok(Truth::new().with("target_pid", number(pid)).with("bytes", written))
}

fn attach(pid: Pid) -> Result<()> {
    ptrace(Trace::Attach, pid).context("attaching")?;
    await_stop(pid)?;
    ptrace(Trace::Detach, pid).context("detaching")
}

fn seize(pid: Pid) -> Result<()> {
    ptrace(Trace::Seize, pid).context("seizing")?;
    ptrace(Trace::Interrupt, pid).context("interrupting")?;
    await_stop(pid)?;
    ptrace(Trace::Detach, pid).context("detaching")
}

/// A tracee is let go only when it stands.
pub(super) fn await_stop(pid: Pid) -> Result<()> {
    let changed = waitpid(Some(pid), WaitOptions::UNTRACED)?;
    let (_, status) = changed.context("waiting for the tracee gave nothing")?;
    ensure!(status.stopped(), "the tracee did not stop: {status:?}");
    Ok(())
}

/// `SIGCONT`, which changes nothing for a process that runs.
fn signal(request: &Request) -> Result<Truth> {
    let send = |pid| kill_process(pid, Signal::CONT).with_context(|| format!("SIGCONT to {}", number(pid)));
    let truth = match request.target_pid {
        Some(pid) => send(pid).map(|()| Truth::new().with("target_pid", number(pid)))?,
        None => on_child(send)?,
    };
    Ok(truth.with("signal", "SIGCONT"))
}

/// A control group of its own in the v2 hierarchy: a child is moved there, and the group removed.
fn cgroup_move(_: &Request) -> Result<Truth> {
    let group = Group::new()?;
    let memory = Pages::new(LENGTH)?;
    let target = Target::start(&memory)?;
    let pid = number(target.child.pid);
    fs::write(group.path().join("cgroup.procs"), pid.to_string()).context("moving the child")?;
    let place = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let name = group.path().file_name().context("a group has a name")?.to_string_lossy().into_owned();
    ensure!(place.lines().any(|line| line.starts_with("0::") && line.ends_with(&name)), "it is in {place}");
    target.finish()?;
    Ok(Truth::new().with("target_pid", pid).with_path("path", group.path()).with("cgroup", name))
}
