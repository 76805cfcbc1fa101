//! What came of one agent.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::line::{Kind, Message};
use super::number::{Numbers, Placed};
use super::report::{
    AgentName, AgentReport, BeatReport, Conflicts, HostName, LossReport, Missing, RunReport, Verdict,
};
use super::seen::Seen;
use super::{LISTED_MAX, Place, Room};

/// All that is known of an agent. Where messages contradict each other the one with the greatest number is believed,
/// so that the order of lines does not matter.
#[derive(Debug)]
pub(super) struct AgentLog {
    id: Uuid,
    numbers: Numbers,
    /// Messages that came again.
    duplicates: u64,
    /// Numbers that came again, and which message they were before is forgotten.
    unjudged: u64,
    conflicts: Conflicts,
    /// Messages for whose number there was no room.
    unplaced: u64,
    /// Number of the last message, its host, and whether it says that the run ended.
    last: (u64, String, bool),
    beat: Option<(u64, String)>,
    runs: BTreeMap<Uuid, Run>,
    /// Messages of runs for which there was no room.
    of_other_runs: u64,
    losses: BTreeMap<(String, String), u64>,
    /// Losses of kinds for which there was no room.
    other_losses: u64,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    last: u64,
    received: u64,
    has_stopped: bool,
}

impl AgentLog {
    pub(super) fn new(id: Uuid) -> Self {
        Self {
            id,
            numbers: Numbers::default(),
            duplicates: 0,
            unjudged: 0,
            conflicts: Conflicts::default(),
            unplaced: 0,
            last: (0, String::new(), false),
            beat: None,
            runs: BTreeMap::new(),
            of_other_runs: 0,
            losses: BTreeMap::new(),
            other_losses: 0,
        }
    }

    /// How many ranges its numbers take.
    #[cfg(test)]
    pub(super) fn ranges(&self) -> usize {
        self.numbers.ranges()
    }

    /// Takes a message; `index` is this agent's. False: there is no room for its number.
    pub(super) fn take(
        &mut self,
        index: usize,
        place: Place<'_>,
        message: Message,
        room: &mut Room,
        seen: &mut Seen,
    ) -> bool {
        let number = message.number;
        let before = self.numbers.ranges();
        match self.numbers.insert(number, room.ranges > 0) {
            Placed::New => {
                room.ranges = (room.ranges + before).saturating_sub(self.numbers.ranges());
                seen.put(index, number, &message.id);
                self.add(message, room);
            }
            Placed::Known => match seen.is(index, number, &message.id) {
                Some(true) => self.duplicates += 1,
                Some(false) => self.conflicts.note(number, place),
                None => self.unjudged += 1,
            },
            Placed::NoRoom => {
                self.unplaced += 1;
                return false;
            }
        }
        true
    }

    /// Adds what a message says that came for the first time.
    fn add(&mut self, message: Message, room: &mut Room) {
        let Message { run, number, kind, time, host, .. } = message;
        let has_stopped = matches!(kind, Kind::Stopped);
        if number > self.last.0 {
            self.last = (number, host, has_stopped);
        }
        match kind {
            Kind::Heartbeat if self.beat.as_ref().is_none_or(|(last, _)| number > *last) => {
                self.beat = Some((number, time));
            }
            Kind::Loss(rows) => rows.into_iter().for_each(|row| self.add_loss(row, room)),
            Kind::Heartbeat | Kind::Stopped | Kind::Other => {}
        }
        let Some(run) = run else { return };
        if let Some(run) = self.runs.get_mut(&run) {
            run.first = run.first.min(number);
            run.last = run.last.max(number);
            run.received += 1;
            run.has_stopped |= has_stopped;
        } else if room.runs > 0 {
            room.runs -= 1;
            self.runs.insert(run, Run { first: number, last: number, received: 1, has_stopped });
        } else {
            self.of_other_runs += 1;
        }
    }

    fn add_loss(&mut self, (what, reason, count): (String, String, u64), room: &mut Room) {
        let key = (what, reason);
        if let Some(sum) = self.losses.get_mut(&key) {
            *sum = sum.saturating_add(count);
        } else if room.losses > 0 {
            room.losses -= 1;
            self.losses.insert(key, count);
        } else {
            self.other_losses = self.other_losses.saturating_add(count);
        }
    }

    /// What came of it; none of an agent of which no number had room. `from_start`: its numbers have to begin at 1.
    pub(super) fn report(self, from_start: bool) -> Option<AgentReport> {
        let (first, last) = (self.numbers.first()?, self.numbers.last()?);
        let mut missing = Missing::default();
        let lacks_start = from_start && first > 1;
        if lacks_start {
            missing.note(1, first - 1);
        }
        self.numbers.gaps().for_each(|(from, to)| missing.note(from, to));
        let verdict = if missing.count > 0 {
            Verdict::Gaps
        } else if self.conflicts.count > 0 {
            Verdict::Conflicts
        } else if self.unplaced > 0 {
            Verdict::Undecided
        } else if self.last.2 {
            Verdict::Complete
        } else {
            Verdict::CompleteUpTo
        };
        let mut runs: Vec<RunReport> = self.runs.iter().map(|(id, run)| run.report(*id)).collect();
        runs.sort_by_key(|run| (run.first, run.id));
        let complete_up_to = if lacks_start { 0 } else { self.numbers.first_end().unwrap_or(first) };
        let losses =
            self.losses.into_iter().map(|((what, reason), count)| LossReport { what, reason, count });
        let mut losses: Vec<LossReport> = losses.collect();
        losses.sort_by_key(|loss| Reverse(loss.count));
        Some(AgentReport {
            agent: AgentName { id: self.id },
            host: HostName { hostname: self.last.1 },
            verdict,
            complete_up_to,
            first,
            last,
            received: self.numbers.count(),
            duplicates: self.duplicates,
            unjudged: self.unjudged,
            conflicts: self.conflicts,
            missing,
            unplaced: self.unplaced,
            run_count: runs.len(),
            unfinished_runs: runs.iter().filter(|run| !run.stopped).count(),
            runs: newest(runs),
            of_other_runs: self.of_other_runs,
            heartbeat: self.beat.map(|(number, time)| BeatReport { number, time }),
            losses,
            other_losses: self.other_losses,
        })
    }
}

impl Run {
    fn report(self, id: Uuid) -> RunReport {
        let Self { first, last, received, has_stopped } = self;
        RunReport { id, first, last, received, stopped: has_stopped }
    }
}

/// The last of them: what became of a run long ago was asked long ago.
fn newest(mut runs: Vec<RunReport>) -> Vec<RunReport> {
    let older = runs.len().saturating_sub(LISTED_MAX);
    runs.drain(..older);
    runs
}
