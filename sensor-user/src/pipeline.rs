//! The one ordered path from a record to an account: state, event, rules, story. Pure: time and what
//! is asked of the host are arguments, so a recorded stream replays without root or a kernel.

mod process;
mod identity;
mod stranger;
mod network;
mod dns;
mod file;
mod system;
mod life;
mod resource;
mod awaited;
mod held;
mod undecided;
mod correlation;
mod reload;
mod suppressed;
mod stats;
mod picture;
mod baseline;
mod passed;

use std::sync::Arc;

use jiff::Timestamp;
use sensor_ebpf::wire::Actor;

pub use file::{HostDeed, HostFile, HostStat};
use identity::Identities;
use life::Lives;
pub use passed::Passed;
pub use picture::{CONNECTIONS_MAX, Named, Picture};
pub use reload::Retired;
pub use stats::{RuleStat, RuleStats, RuleSummary};
pub use suppressed::{SUPPRESSED_MAX, SuppressedMatch};
pub use undecided::UNDECIDED;

use awaited::Awaited;
use baseline::Novelty;
use correlation::Correlations;
use held::Held;
use sigma::{Engine, Matches};
use suppressed::Suppressed;
use undecided::Undecided;

use crate::alert::Loss;
use crate::capture::Capture;
use crate::decode::{Body as RecordBody, Record};
use crate::detection::Detections;
use crate::event::field::Category;
use crate::event::{Body, Direction, Event, LINEAGE_MAX};
use crate::octet;
use crate::state::container::{CgroupIdentity, ContainerTable, Role, Strangers};
use crate::state::file::FileTable;
use crate::state::flow::FlowTable;
use crate::state::name::NameTable;
use crate::state::phase::Phase;
use crate::state::process::{Process, ProcessKey, ProcessTable};
use crate::state::resource::ResourceTable;
use crate::state::standing::Namespaces;
use crate::state::writer::WriterTable;
use crate::story::{Account, Stories};

/// What is asked of the host while a record is handled. Answers come from memory or from one bounded
/// read of a local file, never from somebody who may not answer.
pub trait Host {
    /// A program started in a container: what will be asked of its mount namespace can be read now,
    /// before the process is gone.
    fn entered(&mut self, mnt_ns: u32, container: &Arc<str>, pid: u32, now: u64);
    /// Name of a user, from the passwd of the mount namespace that `pid` is in.
    fn user(&mut self, uid: u32, pid: u32, mnt_ns: u32, now: u64) -> Option<Arc<str>>;
    /// Path as seen in a mount namespace of what lies at `path` below the root of a file system.
    fn path(&mut self, device: u32, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String>;
    /// The same of a path of the host.
    fn path_of_host(&mut self, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String>;
    /// Size of a file by its path in a mount namespace.
    fn size(&mut self, path: &str, mnt_ns: u32) -> Option<u64>;
    /// A moment (`CLOCK_BOOTTIME`, nanoseconds) by the clock of the day.
    fn date(&mut self, time: u64) -> Timestamp;
    /// Namespaces of a process as they are now.
    fn namespaces(&mut self, pid: u32) -> Option<Namespaces>;
    /// A path of the host is an overlay's own scratch: what happens there no process asked for.
    fn is_overlay_scratch(&self, path: &str, mnt_ns: u32) -> bool;
}

/// The tables, the rules and the stories.
pub struct Pipeline {
    pub processes: ProcessTable,
    pub containers: ContainerTable,
    /// Cgroups that may turn out to be containers'.
    strangers: Strangers,
    /// What of environments and secrets is taken in.
    pub capture: Capture,
    identities: Identities,
    lives: Lives,
    /// What containers use.
    resources: ResourceTable,
    /// Who wrote the files that programs may be run from.
    writers: WriterTable,
    flows: FlowTable,
    names: NameTable,
    /// What was told of files lately.
    files: FileTable,
    stories: Stories,
    /// Told, and to be told again.
    awaited: Awaited,
    /// Not decided yet, and not to be decided any more.
    held: Held,
    undecided: Undecided,
    suppressed: Suppressed,
    correlations: Correlations,
    novelty: Novelty,
    engine: Engine,
    detections: Detections,
    /// Reused for every event.
    found: Matches,
    /// Events since they were taken, where somebody wants to see all of them.
    observed: Option<Vec<Event>>,
    passed: Passed,
}

impl Pipeline {
    #[must_use]
    pub fn new(engine: Engine, detections: Detections, stories: Stories) -> Self {
        Self {
            processes: ProcessTable::default(),
            containers: ContainerTable::default(),
            strangers: Strangers::default(),
            capture: Capture::default(),
            identities: Identities::default(),
            lives: Lives::default(),
            resources: ResourceTable::default(),
            writers: WriterTable::default(),
            flows: FlowTable::default(),
            names: NameTable::default(),
            files: FileTable::default(),
            stories,
            awaited: Awaited::default(),
            held: Held::default(),
            undecided: Undecided::default(),
            suppressed: Suppressed::default(),
            correlations: Correlations::default(),
            novelty: Novelty::default(),
            engine,
            detections,
            found: Matches::default(),
            observed: None,
            passed: Passed::default(),
        }
    }

    /// The namespaces of the host, against which containers stand out.
    pub fn set_host(&mut self, namespaces: Namespaces) {
        self.identities = Identities::new(namespaces);
    }

    /// From now on every event is made and kept, whether a rule looks at it or not, until
    /// [`Pipeline::observed`] takes it.
    pub fn observe(&mut self) {
        self.observed.get_or_insert_default();
    }

    /// The events of what was handled since the last call; to be called after every record, since nothing
    /// else bounds them.
    pub fn observed(&mut self) -> impl Iterator<Item = Event> {
        self.observed.iter_mut().flat_map(|events| events.drain(..))
    }

    /// Handles one record.
    pub fn record(&mut self, record: Record, host: &mut impl Host) {
        self.passed.records += 1;
        let Record { time, actor, body } = record;
        if body.is_by_its_actor() {
            self.sighted(time, &actor, host);
        }
        match body {
            RecordBody::Exec(exec) => self.exec(time, &actor, *exec, host),
            RecordBody::Fork(fork) => self.fork(&actor, fork),
            RecordBody::Exit { code } => {
                self.flows_ended(time, key(&actor), host);
                self.exit(time, &actor, code, host);
            }
            RecordBody::Access(access) => self.access(time, &actor, access, false, host),
            RecordBody::Signal(access) => self.access(time, &actor, access, true, host),
            RecordBody::Connect(connect) => self.connect(time, &actor, connect, Direction::Outbound, host),
            RecordBody::Accept(connect) => self.connect(time, &actor, connect, Direction::Inbound, host),
            RecordBody::Traffic(connect) => self.connect(time, &actor, connect, Direction::Unknown, host),
            RecordBody::Close(close) => self.close(time, &actor, close, host),
            RecordBody::Socket(socket) => self.socket(time, &actor, socket, host),
            RecordBody::UnixConnect { file, path } => self.unix_connect(time, &actor, file, path, host),
            RecordBody::Dns(dns) => self.dns(time, &actor, &dns, host),
            RecordBody::File(action, change) => self.change(time, &actor, change, action, host),
            RecordBody::Name(action, names) => self.rename(time, &actor, names, action, host),
            RecordBody::CgroupCreate(cgroup) => self.cgroup_created(time, &cgroup),
            RecordBody::CgroupRemove(cgroup) => self.cgroup_removed(time, &cgroup),
            RecordBody::CgroupAttach(cgroup) => self.cgroup_attached(time, &actor, cgroup, host),
            RecordBody::Namespace(namespace) => self.namespace_entered(time, &actor, namespace, host),
            RecordBody::BpfLoad { program_type, name } => {
                self.bpf_loaded(time, &actor, program_type, name, host);
            }
            RecordBody::ModuleLoad { name } => self.module_loaded(time, &actor, name, host),
            RecordBody::Mount(mount) => self.mounted(time, &actor, mount, host),
        }
    }

    /// Containers whose runtime should be asked now, at most `max`.
    pub fn unnamed(&mut self, now: u64, max: usize) -> Vec<CgroupIdentity> {
        self.containers.due(now, max)
    }

    /// Stories that are to be told now.
    pub fn accounts(&mut self, now: u64) -> Vec<Account> {
        self.look_at_windows(now);
        let mut accounts = self.settled(now);
        accounts.extend(self.stories.overflow());
        accounts.extend(self.stories.due(now));
        self.complete(accounts)
    }

    /// All stories, however short they gathered: the agent ends.
    pub fn drain(&mut self) -> Vec<Account> {
        let mut accounts = self.settled(u64::MAX);
        self.give_up_all();
        accounts.extend(self.stories.drain());
        self.complete(accounts)
    }

    /// Forgets what is long over. To be called every few seconds.
    pub fn sweep(&mut self, now: u64) {
        self.processes.sweep(now);
        let processes = &self.processes;
        self.stories.reap(now, |key| processes.is_live(*key) == Some(true));
        self.containers.sweep(now);
        self.sweep_lives();
        self.names.sweep(now);
    }

    /// Number of detections at work.
    #[must_use]
    pub fn detections(&self) -> usize {
        self.engine.rules().iter().filter(|rule| rule.reports).count()
    }

    /// Matches that were counted, because their story had told them.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.stories.repeats()
    }

    /// Matches that came when the correlations that read them had gone on, since the start.
    #[must_use]
    pub fn late_matches(&self) -> u64 {
        self.correlations.stats().late
    }

    /// Rules that stayed neither true nor false since the last call, by container. `is_last`: nobody asks again.
    pub fn undecided(&mut self, now: u64, is_last: bool) -> Vec<Loss> {
        self.undecided.take(if is_last { u64::MAX } else { now }, &self.engine)
    }

    #[must_use]
    pub fn passed(&self) -> Passed {
        self.passed
    }

    /// Of containers that were named, what was told of them before: as far as it went, to be told again. What
    /// waited for the name is decided.
    fn settled(&mut self, now: u64) -> Vec<Account> {
        let mut accounts = Vec::new();
        for id in self.containers.settled() {
            let is_named = self.containers.get(&id).is_some_and(|it| it.is_complete() && it.is_named());
            if is_named {
                for mut account in self.awaited.take(&id) {
                    account.is_amendment = true;
                    accounts.push(self.stories.retell(account.number, now).unwrap_or(account));
                }
            } else {
                self.awaited.give_up(&id);
            }
            self.decide(&id);
        }
        accounts
    }

    /// Gives each account what is known of its container by now.
    fn complete(&mut self, mut accounts: Vec<Account>) -> Vec<Account> {
        for account in &mut accounts {
            let process = &account.process;
            // Its cgroup may have turned out to be a container's since.
            let id = process.container.clone().or_else(|| self.containers.by_cgroup(process.cgroup_id));
            account.container = id.and_then(|id| self.containers.get(&id)).or(account.container.take());
            self.awaited.note(account);
            // What it is for comes with its name; until then only a build shows what it does.
            account.phase = match account.container.as_deref() {
                Some(container) if container.role == Role::Build => Some(Phase::Build),
                Some(container) if container.is_asked() => None,
                Some(_) | None => account.phase,
            };
        }
        accounts
    }

    /// Asked before an event is made of a record, since most are of processes nobody follows: is
    /// there a rule that looks at such events, or a story that its process belongs to?
    fn wants(&mut self, category: Category, key: ProcessKey) -> bool {
        if !self.processes.knows(key) {
            self.passed.unknown_process += 1;
            return false;
        }
        self.passed.count(category);
        self.observed.is_some()
            || self.engine.watches(category.id())
            || self.stories.follows(&key)
            || self.held.follows(&key)
    }

    fn event(&mut self, time: u64, key: ProcessKey, body: Body, host: &mut impl Host) {
        if let Some(process) = self.processes.get(key) {
            self.event_of(time, process, body, host);
        }
    }

    fn event_of(&mut self, time: u64, process: Arc<Process>, body: Body, host: &mut impl Host) {
        let container = process.container.as_deref().and_then(|id| self.containers.get(id));
        let phase = container.as_deref().and_then(|container| self.phase(time, &process, container));
        let mut event = Event {
            time,
            date: host.date(time),
            ancestors: self.processes.ancestors(&process, LINEAGE_MAX),
            user: host.user(process.uid, process.key.pid, process.mnt_ns, time),
            container,
            phase,
            process,
            sent_in_hour: None,
            baseline: None,
            body,
        };
        self.novelty.add_to(&mut event);
        self.engine.evaluate(&event, &mut self.found);
        self.passed.suppressed += self.found.suppressed.len() as u64;
        self.suppressed.note_all(&event, self.engine.set(), self.found.suppressed.iter());
        for index in &self.found.matched {
            self.passed.matches += 1;
            if self.engine.rule(*index).is_some_and(|rule| rule.reports)
                && let Some(detection) = self.detections.get(*index, event.container.is_some())
            {
                self.lives.note_match(&event.process, detection.level);
                self.stories.matched(&event, detection);
            }
        }
        self.stories.observe(&event);
        self.correlate(&event);
        self.passed.pending += self.found.pending.len() as u64;
        self.hold(&event);
        if let Some(observed) = &mut self.observed {
            observed.push(event);
        }
    }
}

fn key(actor: &Actor) -> ProcessKey {
    ProcessKey { pid: actor.pid, start_time: actor.start_time }
}

fn comm(actor: &Actor) -> String {
    octet::text(actor.comm.split(|byte| *byte == 0).next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
