//! Whose a process is, judged whenever its witnesses may have changed: when it runs a program, when it is
//! moved, when a record shows it elsewhere than before. What does not fit is told once.

mod entry;

use std::collections::VecDeque;
use std::sync::Arc;

use sensor_ebpf::wire::Actor;

use super::{Host, Pipeline, key};
use crate::event::field::Category;
use crate::event::{Body, SystemChange};
use crate::state::cgroup_path;
use crate::state::container::{Container, Role};
use crate::state::phase::{Phase, START_GRACE};
use crate::state::process::{Place, Process, ProcessKey};
use crate::state::standing::{
    Claim, Entry, Evidence, Judgement, Namespaces, Owners, Periods, Standing, Trick, judge,
};

/// Most tricks that wait to be told: those of processes that were there before the sensor. More are counted.
const UNTOLD_MAX: usize = 1_024;

/// What identity needs besides the tables.
#[derive(Debug, Default)]
pub(super) struct Identities {
    owners: Owners,
    periods: Periods,
    /// Processes of the host that may be on their way into a container.
    entering: VecDeque<Entering>,
    untold: Vec<(ProcessKey, Trick)>,
    /// Tricks that were not told: there were too many at the start, or on their way into a container.
    untold_dropped: u64,
}

/// A process of the host that is half inside a container.
#[derive(Clone, Copy, Debug)]
struct Entering {
    since: u64,
    key: ProcessKey,
    /// What it is if it is no runtime: set once it ran its own program anew there.
    trick: Option<Trick>,
}

impl Identities {
    #[must_use]
    pub(super) fn new(host: Namespaces) -> Self {
        Self { owners: Owners::new(host), ..Self::default() }
    }

    /// Owners of namespaces forgotten because there were too many.
    pub(super) fn owners_dropped(&self) -> u64 {
        self.owners.evicted()
    }

    /// Identity events that there was no room for.
    pub(super) fn untold_dropped(&self) -> u64 {
        self.untold_dropped
    }

    /// To be told when events can be made.
    fn tell_later(&mut self, process: ProcessKey, trick: Trick) {
        if self.untold.len() < UNTOLD_MAX {
            self.untold.push((process, trick));
        } else {
            self.untold_dropped += 1;
        }
    }
}

/// What is seen of a process at one moment.
#[derive(Clone, Copy)]
struct Sight<'a> {
    key: ProcessKey,
    place: Place,
    before: &'a Claim,
    cgroup: &'a Claim,
}

impl Pipeline {
    /// Takes over the processes found at start, each with its cgroup's path; judged from the oldest on.
    pub fn seed(&mut self, mut found: Vec<(Process, String)>, now: u64) {
        found.sort_unstable_by_key(|(process, _)| (process.key.start_time, process.key.pid));
        for (mut process, cgroup) in found {
            let claim = self.claim_of_path(&cgroup, process.cgroup_id, now);
            let (before, standing) = match process.parent {
                // Its own look is the first one: what is known of it by a record already stays.
                Some(parent) => self.processes.before(parent, None),
                None => (Claim::Unknown, Standing::default()),
            };
            if claim == Claim::Host {
                self.strangers.see(process.cgroup_id, &cgroup, now);
            }
            let place = place(&process);
            let sight = Sight { key: process.key, place, before: &before, cgroup: &claim };
            let (judgement, standing) = self.stand(&sight, process.key.start_time, &standing, true);
            if let Some(trick) = judgement.trick {
                self.identities.tell_later(process.key, trick);
            }
            (process.container, process.standing) = (judgement.container, standing);
            self.processes.seed([process]);
        }
        // They were there before: they do not start now.
        drop(self.begin_lives());
    }

    /// Judges a process that starts a program; says whether a trick is news.
    pub(super) fn admit(
        &mut self,
        time: u64,
        actor: &Actor,
        cgroup: &str,
        process: &mut Process,
    ) -> Option<Trick> {
        let claim = self.claim_of_path(cgroup, actor.cgroup_id, time);
        if let Claim::Container(id) = &claim {
            self.containers.note_seen(id, process.key);
        }
        self.strangers.started(actor.cgroup_id);
        let (before, known) = self.processes.before(process.key, process.parent);
        let sight = Sight { key: process.key, place: place(process), before: &before, cgroup: &claim };
        // A runtime's own stage between the host and the container: it starts itself once more.
        let is_stage = before == Claim::Host && self.is_same_program(process);
        let (mut judgement, mut standing) = self.stand(&sight, time, &known, !is_stage);
        if is_stage && judgement.trick.is_some() && known.trick.is_none() {
            self.watch_entry(time, process.key, judgement.trick);
            (judgement, standing) = (Judgement::default(), Standing { trick: None, ..standing });
        }
        (process.container, process.standing) = (judgement.container, standing);
        if judgement.has_entered {
            process.standing.entry = self.entry(time, process);
        }
        process.standing.trick.filter(|trick| known.trick != Some(*trick))
    }

    /// A record shows its process somewhere. Who was in a container and is elsewhere now is judged at once;
    /// who was outside may be a runtime at work, and has a moment.
    pub(super) fn sighted(&mut self, time: u64, actor: &Actor, host: &mut impl Host) {
        let place = Place { cgroup_id: actor.cgroup_id, mnt_ns: actor.mnt_ns, pid_ns: actor.pid_ns };
        if actor.mnt_ns != 0 && self.processes.place(key(actor)).is_some_and(|known| known != place) {
            self.moved(time, key(actor), place, None, host);
        }
    }

    /// A process is somewhere else now. `cgroup`: what the new cgroup's path says, where it is known.
    pub(super) fn moved(
        &mut self,
        time: u64,
        key: ProcessKey,
        place: Place,
        cgroup: Option<Claim>,
        host: &mut impl Host,
    ) {
        let (before, known) = self.processes.before(key, None);
        let was = self.processes.place(key);
        let cgroup = match cgroup {
            Some(claim) => claim,
            None if was.is_some_and(|was| was.cgroup_id == place.cgroup_id) => known.cgroup.clone(),
            None => self.claim_of_id(place.cgroup_id),
        };
        let sight = Sight { key, place, before: &before, cgroup: &cgroup };
        let is_resident = before.container().is_some();
        let (judgement, mut standing) = self.stand(&sight, time, &known, false);
        if !is_resident {
            standing.trick = known.trick;
            if judgement.trick.is_some() || cgroup.container().is_some() {
                self.watch_entry(time, key, None);
            }
        }
        let news = standing.trick.filter(|trick| known.trick != Some(*trick));
        let container = if is_resident { judgement.container } else { None };
        let changed = self.processes.amend(key, |process| {
            (process.cgroup_id, process.mnt_ns, process.pid_ns) =
                (place.cgroup_id, place.mnt_ns, place.pid_ns);
            (process.container, process.standing) = (container, standing);
        });
        if let (Some(trick), Some(_)) = (news, changed) {
            self.tricked(time, key, trick, host);
        }
    }

    /// Tells what could not be told at once: tricks from before the start, who stays half inside, and ids that
    /// no runtime confirms.
    pub(super) fn settle_identities(&mut self, now: u64, host: &mut impl Host) {
        for (key, trick) in std::mem::take(&mut self.identities.untold) {
            self.tricked(now, key, trick, host);
        }
        while let Some(Entering { since, key, .. }) = self.identities.entering.front().copied() {
            if now.saturating_sub(since) < entry::ENTERING_MAX {
                break;
            }
            self.identities.entering.pop_front();
            self.check_entry(now, key, host);
        }
        for id in self.containers.take_unconfirmed() {
            // One within a container is that container's; one that has come to be known is no forgery.
            let is_forged =
                self.containers.get(&id).is_some_and(|it| !it.is_verified() && it.nested.is_empty());
            let witness = self.containers.witness(&id).filter(|_| is_forged);
            let Some(witness) = witness else { continue };
            self.processes.amend(witness, |process| process.standing.trick = Some(Trick::CgroupForged));
            self.tricked(now, witness, Trick::CgroupForged, host);
        }
    }

    /// What the container was doing when its process did something.
    pub(super) fn phase(&self, time: u64, process: &Process, container: &Container) -> Option<Phase> {
        let id = process.container.as_deref()?;
        if container.role == Role::Build {
            return Some(Phase::Build);
        }
        let since_start = self.containers.first(id).map(|(began, _)| time.saturating_sub(began));
        Some(match process.standing.entry {
            Entry::Probe => Phase::Probe,
            Entry::Exec { has_terminal: true } => Phase::Interactive,
            Entry::Exec { has_terminal: false } | Entry::Main | Entry::Unknown => {
                if since_start.is_some_and(|age| age < START_GRACE) { Phase::Start } else { Phase::Steady }
            }
        })
    }

    /// Weighs the witnesses, and learns from who came in openly. `is_program`: it runs a new program, with which
    /// one enters; who is only seen elsewhere does not.
    fn stand(
        &mut self,
        sight: &Sight<'_>,
        time: u64,
        known: &Standing,
        is_program: bool,
    ) -> (Judgement, Standing) {
        let Sight { key, place, before, cgroup } = *sight;
        let Self { processes, containers, identities, lives, .. } = self;
        let owners = &mut identities.owners;
        // Its own process may not be in the table yet; one that has been forgotten does not live any more.
        let is_live = |owner| owner == key || processes.is_live(owner) == Some(true);
        let (mount, pid) = (owners.mount(place.mnt_ns, is_live), owners.pid(place.pid_ns, is_live));
        let home = before.container().or(cgroup.container());
        let evidence = Evidence {
            before,
            cgroup,
            mount: &mount,
            pid: &pid,
            is_first: is_program && cgroup.container().is_some_and(|id| containers.first(id).is_none()),
            has_own_mount: home.is_some_and(|id| owners.has_own_mount(id, is_live)),
            is_related: [cgroup, &mount].into_iter().any(|claim| match (before, claim) {
                (Claim::Container(home), Claim::Container(other)) => containers.is_related(home, other),
                _ => false,
            }),
        };
        let judgement = judge(&evidence);
        let mut standing = Standing {
            cgroup: cgroup.clone(),
            mount,
            pid,
            trick: judgement.trick.or(known.trick),
            entry: known.entry,
        };
        if judgement.has_entered
            && is_program
            && let Some(id) = &judgement.container
        {
            let is_first = containers.began(id, time, key);
            if is_first {
                lives.began(id, key, time);
            }
            if is_first || !owners.has_own_mount(id, is_live) {
                let namespaces = Namespaces { mount: place.mnt_ns, pid: place.pid_ns };
                owners.learn(id, key, namespaces, is_live);
                (standing.mount, standing.pid) =
                    (owners.mount(place.mnt_ns, is_live), owners.pid(place.pid_ns, is_live));
            }
            standing.entry = if is_first { Entry::Main } else { Entry::Unknown };
        }
        (judgement, standing)
    }

    /// In the mount namespace of the host.
    pub(super) fn is_of_host(&self, place: Place) -> bool {
        self.identities.owners.mount(place.mnt_ns, |_| true) == Claim::Host
    }

    /// Judges a process of which nothing was known but where it is.
    pub(super) fn first_look(
        &mut self,
        key: ProcessKey,
        place: Place,
        cgroup: &Claim,
        time: u64,
    ) -> (Option<Arc<str>>, Standing) {
        let sight = Sight { key, place, before: &Claim::Unknown, cgroup };
        let (judgement, standing) = self.stand(&sight, time, &Standing::default(), true);
        (judgement.container, standing)
    }

    /// A container has ended: its namespaces speak for nobody.
    pub(super) fn release(&mut self, container: &str) {
        self.identities.owners.release(container);
    }

    /// What a cgroup's path says; its container is known from here on.
    pub(super) fn claim_of_path(&mut self, path: &str, cgroup_id: u64, time: u64) -> Claim {
        match cgroup_path::identify(path) {
            Some(identity) => Claim::Container(self.containers.see(cgroup_id, &identity, time)),
            // A runtime may have told whose it is although its path does not.
            None => match self.containers.by_cgroup(cgroup_id) {
                Some(id) => Claim::Container(id),
                None if path.is_empty() => Claim::Unknown,
                None => Claim::Host,
            },
        }
    }

    /// What a cgroup says by its number alone. The root says nothing: where nobody uses the v2 hierarchy
    /// everybody is there.
    fn claim_of_id(&self, cgroup_id: u64) -> Claim {
        match self.containers.by_cgroup(cgroup_id) {
            Some(id) => Claim::Container(id),
            None if cgroup_id > 1 => Claim::Host,
            None => Claim::Unknown,
        }
    }

    /// Tells that a process is not what its witnesses make of it.
    pub(super) fn tricked(&mut self, time: u64, key: ProcessKey, trick: Trick, host: &mut impl Host) {
        if self.wants(Category::SystemChange, key) {
            self.event(time, key, Body::SystemChange(SystemChange::Identity { trick }), host);
        }
    }
}

pub(super) fn place(process: &Process) -> Place {
    Place { cgroup_id: process.cgroup_id, mnt_ns: process.mnt_ns, pid_ns: process.pid_ns }
}
