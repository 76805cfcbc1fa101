//! Cgroups that no container's path is like: most are the host's own, some are of runc or crun with no
//! engine above them, whose containers may bear any name and lie anywhere.
//!
//! Their runtimes' state is asked for by path, on a short schedule: it is written a little after the cgroup,
//! and before the container's program starts. Pure: asking is `host::container`'s part.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// When to ask, nanoseconds after the first sight. runc writes its state 20 to 50 ms after the cgroup; what
/// comes later covers a loaded machine.
const ASK_AFTER: [u64; 5] = [0, 30_000_000, 100_000_000, 500_000_000, 3_000_000_000];
/// Most cgroups asked about at a time: a host that starts makes some hundreds. Beyond it the one seen first
/// goes unasked, and is counted.
const STRANGERS_MAX: usize = 1_024;
/// Most programs started in it for which a cgroup is asked about out of turn.
const HURRIED_MAX: u8 = 4;
/// Ids up to this name no cgroup of their own (see the container table).
const ROOT_CGROUP: u64 = 1;
/// What systemd calls its own units other than scopes (systemd.unit(5)). A runtime makes scopes or plain
/// directories.
const UNITS: [&str; 6] = [".service", ".slice", ".socket", ".mount", ".swap", "init.scope"];

#[derive(Debug)]
struct Stranger {
    path: String,
    first_seen: u64,
    asked: usize,
    /// Asked out of turn.
    hurried: u8,
    is_urgent: bool,
    /// When the cgroup went.
    ended: Option<u64>,
}

/// Those that are still asked about.
#[derive(Debug, Default)]
pub struct Strangers {
    cgroups: FxHashMap<u64, Stranger>,
    arrivals: VecDeque<u64>,
    forgotten: u64,
}

/// When a cgroup that turned out to be a container's was made, and when it went (boot, nanoseconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    pub began: u64,
    pub ended: Option<u64>,
}

impl Strangers {
    /// A cgroup whose path says nothing was seen at `now` (boot, nanoseconds).
    pub fn see(&mut self, cgroup_id: u64, path: &str, now: u64) {
        if cgroup_id <= ROOT_CGROUP || path.len() <= 1 || is_of_systemd(path) {
            return;
        }
        if self.cgroups.contains_key(&cgroup_id) {
            return;
        }
        while self.cgroups.len() >= STRANGERS_MAX
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.forgotten += u64::from(self.cgroups.remove(&oldest).is_some());
        }
        let stranger = Stranger {
            path: path.to_owned(),
            first_seen: now,
            asked: 0,
            hurried: 0,
            is_urgent: false,
            ended: None,
        };
        self.cgroups.insert(cgroup_id, stranger);
        self.arrivals.push_back(cgroup_id);
    }

    /// A program started in it: now its runtime has written what there is to write.
    pub fn started(&mut self, cgroup_id: u64) {
        if let Some(stranger) = self.cgroups.get_mut(&cgroup_id).filter(|it| it.hurried < HURRIED_MAX) {
            stranger.hurried += 1;
            stranger.is_urgent = true;
        }
    }

    /// The cgroup was removed at `time` (boot, nanoseconds). Its schedule runs on: the answer may be on its way.
    pub fn ended(&mut self, cgroup_id: u64, time: u64) {
        if let Some(stranger) = self.cgroups.get_mut(&cgroup_id) {
            stranger.ended = Some(time);
        }
    }

    /// Which to ask about at `now`, with their paths. One given here counts as asked; who was asked about
    /// to the end of the schedule is the host's own.
    pub fn due(&mut self, now: u64) -> Vec<(u64, String)> {
        let mut due = Vec::new();
        self.cgroups.retain(|id, stranger| {
            let Some(after) = ASK_AFTER.get(stranger.asked) else { return false };
            let is_due = now >= stranger.first_seen.saturating_add(*after);
            if is_due || stranger.is_urgent {
                stranger.asked += usize::from(is_due);
                stranger.is_urgent = false;
                due.push((*id, stranger.path.clone()));
            }
            true
        });
        if self.cgroups.is_empty() {
            self.arrivals.clear();
        }
        due
    }

    /// It is a container's. None: it is not (or no longer) asked about.
    pub fn found(&mut self, cgroup_id: u64) -> Option<Life> {
        let stranger = self.cgroups.remove(&cgroup_id)?;
        Some(Life { began: stranger.first_seen, ended: stranger.ended })
    }

    /// Dropped unasked because there were too many.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

fn is_of_systemd(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_session = name.starts_with("session-") && name.ends_with(".scope");
    is_session || UNITS.iter().any(|unit| name.ends_with(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn strangers_are_asked_about_on_a_schedule_and_when_a_program_starts() {
        let mut strangers = Strangers::default();
        strangers.see(42, "/web", SECOND);
        assert_eq!(strangers.due(SECOND), [(42, "/web".to_owned())]);
        assert_eq!(strangers.due(SECOND + 1), []);
        strangers.started(42);
        assert_eq!(strangers.due(SECOND + 2).len(), 1, "the runtime's state is there by now");
        assert_eq!(strangers.due(SECOND + 3), []);
        strangers.ended(42, 2 * SECOND);
        assert_eq!(strangers.found(42), Some(Life { began: SECOND, ended: Some(2 * SECOND) }));
        assert_eq!((strangers.found(42), strangers.due(9 * SECOND)), (None, vec![]));
    }

    #[test]
    fn a_host_that_only_makes_units_is_left_alone() {
        let mut strangers = Strangers::default();
        for (id, path) in (2..).zip([
            "/system.slice/ssh.service",
            "/user.slice/user-1000.slice/session-3.scope",
            "/init.scope",
            "/user.slice",
            "/",
            "",
        ]) {
            strangers.see(id, path, 0);
        }
        strangers.see(1, "/root", 0);
        assert_eq!(strangers.due(SECOND), []);
        strangers.see(9, "/system.slice/run-r12.scope", 0);
        let asked = (0..10).map(|_| strangers.due(60 * SECOND).len()).sum::<usize>();
        assert_eq!(asked, ASK_AFTER.len());
        assert_eq!(strangers.found(9), None, "the host's own, after all");
    }

    #[test]
    fn they_are_bounded_and_counted() {
        let mut strangers = Strangers::default();
        for id in 0..STRANGERS_MAX as u64 + 7 {
            strangers.see(id + 2, &format!("/x{id}"), 0);
        }
        assert_eq!((strangers.due(0).len(), strangers.forgotten()), (STRANGERS_MAX, 7));
    }
}
