//! The one ordered path from a record to an account: state, event, rules, story. Pure: time and what
//! is asked of the host are arguments, so a recorded stream replays without root or a kernel.

use std::sync::Arc;

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::process::Exec as ExecFlags;

use crate::decode::{Body as RecordBody, Cgroup, Connect, Exec, FileChange as ChangeRecord, Fork, Record};
use crate::detection::Detections;
use crate::event::field::Category;
use crate::event::{Body, Connection, Event, FileAction, FileChange, LINEAGE_MAX, Protocol};
use crate::sigma::{Engine, Matches};
use crate::state::cgroup_path;
use crate::state::container::{CgroupIdentity, ContainerTable};
use crate::state::process::{Executable, Fork as Forked, Process, ProcessKey, ProcessTable};
use crate::story::{Account, Stories};

/// What is asked of the host while a record is handled. Answers come from memory or from one bounded
/// read of a local file, never from somebody who may not answer.
pub trait Host {
    /// A program started in a container: what will be asked of its mount namespace can be read now,
    /// before the process is gone.
    fn entered(&mut self, mnt_ns: u32, pid: u32, now: u64);
    /// Name of a user, from the passwd of the mount namespace that `pid` is in.
    fn user(&mut self, uid: u32, pid: u32, mnt_ns: u32, now: u64) -> Option<Arc<str>>;
    /// Path as seen in a mount namespace of what lies at `path` below the root of a file system.
    fn path(&mut self, device: u32, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String>;
    /// The same of a path of the host.
    fn path_of_host(&mut self, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String>;
    /// A path of the host is an overlay's own scratch: what happens there no process asked for.
    fn is_overlay_scratch(&self, path: &str, mnt_ns: u32) -> bool;
}

/// A rename as fanotify tells it, with paths of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRename {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub pid: u32,
    pub from: String,
    pub to: String,
}

/// What passed through, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub records: u64,
    pub events: u64,
    pub matches: u64,
    /// Matches that wait for a field that is not known yet.
    pub pending: u64,
    /// Events whose process was not known: it started before the sensor or its record was lost.
    pub unknown_process: u64,
}

/// The tables, the rules and the stories.
pub struct Pipeline {
    pub processes: ProcessTable,
    pub containers: ContainerTable,
    stories: Stories,
    engine: Engine,
    detections: Detections,
    /// Reused for every event.
    found: Matches,
    passed: Passed,
}

impl Pipeline {
    #[must_use]
    pub fn new(engine: Engine, detections: Detections, stories: Stories) -> Self {
        Self {
            processes: ProcessTable::default(),
            containers: ContainerTable::default(),
            stories,
            engine,
            detections,
            found: Matches::default(),
            passed: Passed::default(),
        }
    }

    /// Takes over the processes found at start, each with its cgroup's path.
    pub fn seed(&mut self, found: impl IntoIterator<Item = (Process, String)>, now: u64) {
        let containers = &mut self.containers;
        let processes = found.into_iter().map(|(mut process, cgroup)| {
            let identity = cgroup_path::identify(&cgroup);
            process.container = identity.map(|identity| containers.see(process.cgroup_id, &identity, now));
            process
        });
        self.processes.seed(processes);
    }

    /// Handles one record.
    pub fn record(&mut self, record: Record, host: &mut impl Host) {
        self.passed.records += 1;
        let Record { time, actor, body } = record;
        match body {
            RecordBody::Exec(exec) => self.exec(time, &actor, *exec, host),
            RecordBody::Fork(fork) => self.fork(&actor, fork),
            RecordBody::Exit { code } => {
                let process = self.processes.exit(key(&actor), time);
                self.stories.exited(time, &key(&actor), process.as_deref(), code);
            }
            RecordBody::Connect(connect) => self.connect(time, &actor, connect, host),
            RecordBody::Close { cookie, bytes_sent, bytes_received } => {
                self.stories.closed(time, cookie, bytes_sent, bytes_received);
            }
            RecordBody::FileOpen(change) => self.change(time, &actor, change, FileAction::Open, host),
            RecordBody::FileWrite(change) => self.change(time, &actor, change, FileAction::Write, host),
            RecordBody::FileRename { file, from, to } => {
                if !self.wants(Category::FileEvent, key(&actor)) {
                    return;
                }
                let mut seen = |path: String| {
                    host.path(file.device, &path, actor.mnt_ns, actor.pid, time).unwrap_or(path)
                };
                let (from, path) = (Some(seen(from)), seen(to));
                let action = FileAction::Rename;
                let change = FileChange { action, path, from, file: Some(file) };
                self.event(time, key(&actor), Body::FileEvent(change), host);
            }
            RecordBody::CgroupCreate(cgroup) => self.cgroup_created(time, &cgroup),
            RecordBody::CgroupRemove(cgroup) => {
                if cgroup.hierarchy == V2 {
                    self.containers.ended(cgroup.id, time);
                }
            }
        }
    }

    /// Handles a rename that fanotify saw.
    pub fn renamed(&mut self, rename: HostRename, host: &mut impl Host) {
        let HostRename { time, pid, from, to } = rename;
        // By number alone: fanotify does not tell the start, and whoever has the pid now did it.
        let Some(process) = self.processes.get_by_pid(pid, 0) else {
            self.passed.unknown_process += 1;
            return;
        };
        if !self.wants(Category::FileEvent, process.key) {
            return;
        }
        let mut seen = |path: &str| {
            host.path_of_host(path, process.mnt_ns, pid, time).unwrap_or_else(|| path.to_owned())
        };
        let (seen_from, path) = (Some(seen(&from)), seen(&to));
        if [from, to].iter().any(|path| host.is_overlay_scratch(path, process.mnt_ns)) {
            return;
        }
        let from = seen_from;
        let change = FileChange { action: FileAction::Rename, path, from, file: None };
        self.event(time, process.key, Body::FileEvent(change), host);
    }

    /// Containers whose runtime should be asked now, at most `max`.
    pub fn unnamed(&mut self, now: u64, max: usize) -> Vec<CgroupIdentity> {
        self.containers.due(now, max)
    }

    /// Stories that are to be told now.
    pub fn accounts(&mut self, now: u64) -> Vec<Account> {
        let mut accounts = self.stories.overflow();
        accounts.extend(self.stories.due(now));
        self.complete(accounts)
    }

    /// All stories, however short they gathered: the agent ends.
    pub fn drain(&mut self) -> Vec<Account> {
        let accounts = self.stories.drain();
        self.complete(accounts)
    }

    /// Forgets what is long over. To be called every few seconds.
    pub fn sweep(&mut self, now: u64) {
        self.processes.sweep(now);
        self.containers.sweep(now);
    }

    /// Number of detections at work.
    #[must_use]
    pub fn detections(&self) -> usize {
        self.engine.rules().len()
    }

    /// Matches that were counted, because their story had told them.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.stories.repeats()
    }

    /// What full tables dropped since the start: what it is, how many.
    #[must_use]
    pub fn dropped(&self) -> [(&'static str, u64); 3] {
        let (processes, containers) = (self.processes.stats(), self.containers.stats());
        [
            ("process", processes.evicted_live + processes.evicted_exited),
            ("container", containers.evicted + containers.evicted_cgroups),
            ("connection's byte counts", self.stories.unfollowed()),
        ]
    }

    #[must_use]
    pub fn passed(&self) -> Passed {
        self.passed
    }

    /// Gives each account what is known of its container by now.
    fn complete(&self, mut accounts: Vec<Account>) -> Vec<Account> {
        for account in &mut accounts {
            let id = account.process.container.as_deref();
            account.container = id.and_then(|id| self.containers.get(id)).or(account.container.take());
        }
        accounts
    }

    fn exec(&mut self, time: u64, actor: &Actor, exec: Exec, host: &mut impl Host) {
        let identity = cgroup_path::identify(&exec.cgroup);
        let container = identity.map(|identity| self.containers.see(actor.cgroup_id, &identity, time));
        let parent_key = ProcessKey { pid: exec.parent_pid, start_time: exec.parent_start_time };
        let process = Process {
            key: key(actor),
            parent: (exec.parent_pid != 0).then_some(parent_key),
            executable: executable(&exec),
            arguments: exec.arguments.into(),
            arguments_truncated: exec.arguments_truncated,
            directory: Some(exec.directory),
            comm: comm(actor),
            uid: actor.uid,
            gid: actor.gid,
            effective_uid: exec.effective_uid,
            mnt_ns: actor.mnt_ns,
            pid_ns: actor.pid_ns,
            cgroup_id: actor.cgroup_id,
            container,
            exec_time: time,
        };
        if process.container.is_some() {
            host.entered(process.mnt_ns, process.key.pid, time);
        }
        let process = self.processes.insert_exec(process);
        self.passed.events += 1;
        self.event_of(time, process, Body::ProcessCreation, host);
    }

    fn fork(&mut self, actor: &Actor, fork: Fork) {
        let parent = key(actor);
        let child = ProcessKey { pid: fork.child_pid, start_time: fork.child_start_time };
        self.processes.insert_fork(Forked {
            parent,
            child,
            uid: actor.uid,
            gid: actor.gid,
            mnt_ns: actor.mnt_ns,
            pid_ns: fork.child_pid_ns,
            cgroup_id: fork.child_cgroup_id,
            container: self.containers.by_cgroup(fork.child_cgroup_id),
            comm: comm(actor),
        });
        self.stories.forked(&parent, child);
    }

    fn connect(&mut self, time: u64, actor: &Actor, connect: Connect, host: &mut impl Host) {
        if !self.wants(Category::NetworkConnection, key(actor)) {
            return;
        }
        let protocol = match connect.protocol {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            other => Protocol::Other(other),
        };
        let connection = Connection {
            cookie: connect.cookie,
            protocol,
            address: connect.address,
            port: connect.port,
            connected: !connect.is_datagram,
        };
        self.event(time, key(actor), Body::NetworkConnection(connection), host);
    }

    fn change(
        &mut self,
        time: u64,
        actor: &Actor,
        change: ChangeRecord,
        action: FileAction,
        host: &mut impl Host,
    ) {
        if !self.wants(Category::FileEvent, key(actor)) {
            return;
        }
        let ChangeRecord { file, path, is_from_mount } = change;
        let seen =
            if is_from_mount { None } else { host.path(file.device, &path, actor.mnt_ns, actor.pid, time) };
        let path = seen.unwrap_or(path);
        let change = FileChange { action, path, from: None, file: Some(file) };
        self.event(time, key(actor), Body::FileEvent(change), host);
    }

    fn cgroup_created(&mut self, time: u64, cgroup: &Cgroup) {
        // Ids are inode numbers and each hierarchy counts its own.
        if cgroup.hierarchy != V2 {
            return;
        }
        if let Some(identity) = cgroup_path::identify(&cgroup.path) {
            self.containers.see(cgroup.id, &identity, time);
        }
    }

    /// Asked before an event is made of a record, since most are of processes nobody follows: is
    /// there a rule that looks at such events, or a story that its process belongs to?
    fn wants(&mut self, category: Category, key: ProcessKey) -> bool {
        if !self.processes.knows(key) {
            self.passed.unknown_process += 1;
            return false;
        }
        self.passed.events += 1;
        self.engine.watches(category.id()) || self.stories.follows(&key)
    }

    fn event(&mut self, time: u64, key: ProcessKey, body: Body, host: &mut impl Host) {
        if let Some(process) = self.processes.get(key) {
            self.event_of(time, process, body, host);
        }
    }

    fn event_of(&mut self, time: u64, process: Arc<Process>, body: Body, host: &mut impl Host) {
        let container = process.container.as_deref().and_then(|id| self.containers.get(id));
        let event = Event {
            time,
            ancestors: self.processes.ancestors(process.key, LINEAGE_MAX),
            user: host.user(process.uid, process.key.pid, process.mnt_ns, time),
            container,
            process,
            body,
        };
        self.engine.evaluate(&event, &mut self.found);
        self.passed.pending += self.found.pending.len() as u64;
        for index in &self.found.matched {
            self.passed.matches += 1;
            if let Some(detection) = self.detections.get(*index, event.container.is_some()) {
                self.stories.matched(&event, detection);
            }
        }
        self.stories.observe(&event);
    }
}

/// Number of the v2 hierarchy (`cgroup_root.hierarchy_id` of `cgrp_dfl_root`, kernel/cgroup/cgroup.c).
const V2: u32 = 0;

fn key(actor: &Actor) -> ProcessKey {
    ProcessKey { pid: actor.pid, start_time: actor.start_time }
}

fn comm(actor: &Actor) -> String {
    String::from_utf8_lossy(actor.comm.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// Multi-call binaries whose `argv[0]` is the applet that runs.
const MULTI_CALL: [&str; 4] = ["busybox", "toybox", "coreutils", "sbase-box"];

fn executable(exec: &Exec) -> Executable {
    let has = |flag| exec.flags & flag != 0;
    Executable {
        path: exec.path.clone(),
        invoked: Some(exec.filename.clone()).filter(|name| !name.is_empty()),
        applet: applet(&exec.path, &exec.arguments),
        file: Some(exec.file),
        memfd: has(ExecFlags::MEMFD),
        deleted: has(ExecFlags::DELETED),
        upper_layer: has(ExecFlags::UPPER_LAYER),
    }
}

/// The applet a multi-call binary runs as, as a path beside it: by `argv[0]`, or where that is the
/// binary's own name by the first argument (`busybox wget ...`).
fn applet(path: &str, arguments: &[String]) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    if !MULTI_CALL.contains(&name) {
        return None;
    }
    let mut names = arguments.iter().map(|argument| argument.rsplit('/').next().unwrap_or(argument));
    let applet = names.next().filter(|applet| *applet != name).or_else(|| names.next())?;
    let is_name = !applet.is_empty() && !applet.starts_with('-');
    is_name.then(|| format!("{directory}/{}", applet.trim_start_matches('-')))
}

#[cfg(test)]
mod tests;
