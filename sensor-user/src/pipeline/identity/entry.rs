//! Ways into a container: the door a process came in by, and who is half inside.

use super::{Entering, Identities, Sight};
use crate::pipeline::{Host, Pipeline};
use crate::state::process::{Place, Process, ProcessKey};
use crate::state::standing::{Claim, Entry, Namespaces, Trick};

/// How long a process of the host may be half inside a container, nanoseconds: runtimes move a process,
/// change its namespaces and start the program, most within 100 ms; who stays like that is none.
pub(super) const ENTERING_MAX: u64 = 2_000_000_000;
/// Most processes watched for that. Beyond it the oldest is let go, and counted.
const ENTERING_BOUND: usize = 1_024;
impl Pipeline {
    /// By which door a process came into a container with its program.
    pub(super) fn entry(&mut self, time: u64, process: &Process) -> Entry {
        let Some(id) = process.container.as_ref().filter(|_| process.standing.entry != Entry::Main) else {
            return process.standing.entry;
        };
        if process.session.terminal.is_some() {
            return Entry::Exec { has_terminal: true };
        }
        let is_known = self
            .containers
            .get(id)
            .is_some_and(|container| container.probes.iter().any(|probe| process.arguments == **probe));
        let is_periodic = self.identities.periods.note(id, process.command_line(), time);
        if is_known || is_periodic { Entry::Probe } else { Entry::Exec { has_terminal: false } }
    }

    pub(super) fn is_same_program(&mut self, process: &Process) -> bool {
        let before = self.processes.get(process.key).or_else(|| self.processes.get(process.parent?));
        let before = before.map(|before| (before.executable.file, before.executable.path.clone()));
        // runc runs a copy of itself from memory, under the same name.
        before.is_some_and(|(file, path)| {
            file.is_some() && file == process.executable.file
                || process.executable.memfd && last(&path) == last(&process.executable.path)
                || path == process.executable.path
        })
    }

    pub(super) fn watch_entry(&mut self, since: u64, key: ProcessKey, trick: Option<Trick>) {
        let Identities { entering, untold_dropped, .. } = &mut self.identities;
        if let Some(known) = entering.iter_mut().find(|known| known.key == key) {
            known.trick = known.trick.or(trick);
            return;
        }
        entering.push_back(Entering { since, key, trick });
        if entering.len() > ENTERING_BOUND {
            // Whether it was one will not be known; its next program is judged all the same.
            *untold_dropped += u64::from(entering.pop_front().is_some());
        }
    }

    /// A process ends that ran its own program anew while it was half inside a container. A runtime's stage
    /// leaves behind whom it brought in; who leaves nobody was none.
    pub(in crate::pipeline) fn left(&mut self, time: u64, key: ProcessKey, host: &mut impl Host) {
        let entering = &mut self.identities.entering;
        let at = entering.iter().position(|known| known.key == key);
        let Some(trick) = at.and_then(|at| entering.remove(at)).and_then(|known| known.trick) else { return };
        if !self.processes.has_children(key) && self.processes.before(key, None).1.trick.is_none() {
            self.processes.amend(key, |process| process.standing.trick = Some(trick));
            self.tricked(time, key, trick, host);
        }
    }

    /// A process has been half inside a container for long: it is looked at once more.
    pub(super) fn check_entry(&mut self, now: u64, key: ProcessKey, host: &mut impl Host) {
        let (before, known) = self.processes.before(key, None);
        let was = self.processes.place(key);
        let (Some(was), Some(true), Claim::Host) = (was, self.processes.is_live(key), before) else { return };
        let Some(Namespaces { mount, pid }) = host.namespaces(key.pid) else { return };
        let place = Place { mnt_ns: mount, pid_ns: pid, ..was };
        let sight = Sight { key, place, before: &Claim::Host, cgroup: &known.cgroup };
        let (judgement, _) = self.stand(&sight, now, &known, false);
        // Mounts of its own and no program yet: a container that is made and not started.
        let is_made = self.identities.owners.mount(mount, |_| true) == Claim::Unknown;
        let Some(trick) = judgement.trick.filter(|_| !is_made) else { return };
        if known.trick != Some(trick) {
            self.processes.amend(key, |process| process.standing.trick = Some(trick));
            self.tricked(now, key, trick, host);
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit([':', '/']).next().unwrap_or(path)
}
