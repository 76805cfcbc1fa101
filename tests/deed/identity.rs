//! Processes that seem to be another, or somewhere else: what is told is who and where they are.
//!
//! As for [`crate::process`] a child does it and becomes this program, as `deed noop MARKER`, which tells of
//! itself.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces, set_name};
use serde_json::json;

use crate::child::{Child, number};
use crate::group::{self, Group};
use crate::process::{become_program, exec_open, exec_own, pid_in_proc};
use crate::request::Request;
use crate::sys;
use crate::sys::process::Birth;
use crate::table::{Deed, deed, privileged};
use crate::truth::{OrMissing as _, Truth};

pub(crate) const DEEDS: &[Deed] = &[
    deed("identity", "comm", comm),
    deed("identity", "leader_gone", leader_gone),
    privileged("identity", "pid_reuse", pid_reuse),
    privileged("identity", "last_pid", last_pid),
    privileged("identity", "cgroup_move", cgroup_move),
    privileged("identity", "cgroup_forged", cgroup_forged),
    privileged("identity", "clone_into_cgroup", clone_into_cgroup),
    privileged("identity", "namespace_enter", namespace_enter),
];

/// A name that ends the name in /proc/PID/stat, and what would then be its state and parent.
const FORGED_NAME: &str = ") R 1 (";

/// Where nobody listens, and nothing is sent: the discard port.
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);

/// Lives of one pid unless told.
const LIVES: u64 = 3;

/// The last pid before the one that is wanted, in a namespace in which only some first ones are taken.
const LAST_PID: u32 = 4096;

/// As a child tells it.
fn marker() -> String {
    format!("deed-marker-{}", std::process::id())
}

/// A forked child that does `trick` and becomes the program.
fn run(trick: impl FnOnce() -> Result<()> + 'static) -> Result<Truth> {
    let exec = exec_own(&marker())?;
    let (truth, _) = become_program(
        |work| Ok(sys::process::fork(work)?),
        move || {
            trick()?;
            exec()
        },
    )?;
    Ok(truth.with("marker", marker()).with("parent", pid_in_proc()?))
}

/// The program's parent is called what would break a careless reader of /proc/PID/stat.
fn comm(_: &Request) -> Result<Truth> {
    let child = Child::start(|| {
        set_name(&std::ffi::CString::new(FORGED_NAME)?)?;
        Ok(run(|| Ok(()))?.with("parent_comm", FORGED_NAME))
    })?;
    Ok(child.finish()?.with("grandparent", pid_in_proc()?))
}

/// The first thread ends, another one connects and becomes the program: the pid and the start are the first
/// one's. Where a pipe is told, it waits between for what is written there.
fn leader_gone(request: &Request) -> Result<Truth> {
    let exec = exec_own(&marker())?;
    let gate = request.path.clone();
    let (truth, _) = become_program(
        |work| Ok(sys::process::fork(work)?),
        move || {
            let own = pid_in_proc()?;
            thread::spawn(move || {
                let done = await_end(own).and_then(|()| pass(gate.as_deref())).and_then(|()| exec());
                if let Err(error) = &done {
                    drop(writeln!(std::io::stderr(), "deed: in the other thread: {error:#}"));
                }
                // Reached only when the program does not run.
                std::process::exit(i32::from(done.is_err()));
            });
            sys::process::end_thread()
        },
    )?;
    let truth = truth.with("marker", marker()).with("parent", pid_in_proc()?);
    Ok(truth.with_peer("udp", NOBODY.into()))
}

/// Waits at the gate, then connects.
fn pass(gate: Option<&Path>) -> Result<()> {
    if let Some(gate) = gate {
        fs::read(gate).with_context(|| format!("reading {}", gate.display()))?;
    }
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.connect(NOBODY).context("connecting")
}

/// Waits until the first thread of a process has ended.
fn await_end(pid: u32) -> Result<()> {
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        if fields.trim_start().starts_with('Z') {
            return Ok(());
        }
        thread::yield_now();
    }
}

/// One program after the other under one pid, which the caller of clone3 may choose.
fn pid_reuse(request: &Request) -> Result<Truth> {
    let mut lives = Vec::new();
    let mut pid = None;
    for life in 0..request.count.unwrap_or(LIVES) {
        let marker = format!("{}-{life}", marker());
        let make = |work| match pid {
            None => Ok(sys::process::fork(work)?),
            Some(pid) => sys::process::clone3(Birth::Pid(pid), work)
                .or_missing(&[Errno::NOSYS, Errno::INVAL], "clone3 does not take a pid"),
        };
        let (truth, was) = become_program(make, exec_own(&marker)?)?;
        ensure!(pid.is_none_or(|pid| pid == was), "the kernel gave another pid");
        pid = Some(was);
        lives.push(json!({"marker": marker, "pid": truth.number("pid"), "started": truth.number("started")}));
    }
    let pid = pid.context("no life was asked for")?;
    Ok(Truth::new().with("pid", number(pid)).with("parent", pid_in_proc()?).with("lives", lives))
}

/// The same in a pid namespace of its own, by the number behind which the kernel looks for a free one.
fn last_pid(request: &Request) -> Result<Truth> {
    let count = request.count.unwrap_or(LIVES);
    let child = Child::start(|| {
        sys::process::unshare_pids().context("unshare")?;
        // The first child is the first process of the namespace.
        Child::start(|| lives_behind(count))?.finish()
    })?;
    child.finish()
}

fn lives_behind(count: u64) -> Result<Truth> {
    let mut lives = Vec::new();
    for life in 0..count {
        // It belongs to the namespace of whoever writes it.
        fs::write("/proc/sys/kernel/ns_last_pid", LAST_PID.to_string())
            .or_missing(&[Errno::NOENT, Errno::ROFS], "ns_last_pid cannot be written")?;
        let marker = format!("deed-marker-{}-{life}", pid_in_proc()?);
        let exec = exec_own(&marker)?;
        let (truth, was) = become_program(|work| Ok(sys::process::fork(work)?), exec)?;
        ensure!(number(was).unsigned_abs() == LAST_PID + 1, "the kernel gave {}", number(was));
        let (pid, started) = (truth.number("pid"), truth.number("started"));
        lives.push(json!({"marker": marker, "pid": pid, "inner_pid": number(was), "started": started}));
    }
    Ok(Truth::new().with("pid", pid_in_proc()?).with("lives", lives))
}

/// Into the group that is told, or one of its own.
fn cgroup_move(request: &Request) -> Result<Truth> {
    let own = if request.path.is_none() { Some(Group::new()?) } else { None };
    let path = request.path.as_deref().or(own.as_ref().map(Group::path)).context("no group")?.to_owned();
    in_group(&path, {
        let path = path.clone();
        run(move || group::enter(&path))
    })
}

/// Into a group that is called like a container's.
fn cgroup_forged(_: &Request) -> Result<Truth> {
    let (group, id) = Group::forged()?;
    let path = group.path().to_owned();
    Ok(in_group(group.path(), run(move || group::enter(&path)))?.with("container", id))
}

/// Born in such a group: nobody is ever moved.
fn clone_into_cgroup(_: &Request) -> Result<Truth> {
    let (group, id) = Group::forged()?;
    let directory = group::open(group.path())?;
    let make = |work| {
        sys::process::clone3(Birth::Group(directory.as_fd()), work)
            .or_missing(&[Errno::NOSYS, Errno::INVAL, Errno::TOOBIG], "clone3 does not take a group")
    };
    let (truth, _) = become_program(make, exec_own(&marker())?)?;
    let truth = truth.with("marker", marker()).with("parent", pid_in_proc()?);
    Ok(in_group(group.path(), Ok(truth))?.with("container", id))
}

fn in_group(path: &Path, truth: Result<Truth>) -> Result<Truth> {
    Ok(truth?.with_path("cgroup", path))
}

/// Into the mount and pid namespaces of another process, as nsenter does.
fn namespace_enter(request: &Request) -> Result<Truth> {
    let Some(target) = request.target_pid else { bail!("--target-pid says whose namespaces") };
    let exec = exec_open(&marker())?;
    let child = Child::start(move || {
        let namespaces = pidfd_open(target, PidfdFlags::empty()).context("pidfd_open")?;
        // Holds for the next child only, which is the one that then sees another /proc.
        enter(&namespaces, ThreadNameSpaceType::PROCESS_ID)?;
        let act = move || {
            enter(&namespaces, ThreadNameSpaceType::MOUNT)?;
            exec()
        };
        Ok(become_program(|work| Ok(sys::process::fork(work)?), act)?.0)
    })?;
    Ok(child.finish()?.with("marker", marker()).with("target_pid", number(target)))
}

fn enter(of: impl AsFd, namespaces: ThreadNameSpaceType) -> Result<()> {
    move_into_thread_name_spaces(of.as_fd(), namespaces).or_missing(&[Errno::INVAL], "setns takes no process")
}
