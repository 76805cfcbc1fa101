//! What came of a log, as programs get it.

use serde::Serialize;
use uuid::Uuid;

use super::line::Damage;
use super::{LISTED_MAX, Place};

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// No gap, no conflict, no damaged line, and everything was judged.
    pub complete: bool,
    pub lines: u64,
    /// Lines that hold a message.
    pub documents: u64,
    /// Lines of other programs.
    pub foreign: u64,
    pub damaged: Damaged,
    /// Messages that were not judged for want of room.
    pub unplaced: u64,
    /// By name of host.
    pub agents: Vec<AgentReport>,
}

/// Lines that were ours and cannot be read.
#[derive(Debug, Default, Serialize)]
pub struct Damaged {
    pub count: u64,
    /// At most [`LISTED_MAX`].
    pub first: Vec<DamageReport>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct DamageReport {
    pub file: String,
    pub line: u64,
    pub reason: &'static str,
}

/// What came of one agent.
#[derive(Debug, Serialize)]
pub struct AgentReport {
    pub agent: AgentName,
    pub host: HostName,
    pub verdict: Verdict,
    /// From the first number on none is missing up to this one; 0 where already the first ones are.
    pub complete_up_to: u64,
    pub first: u64,
    pub last: u64,
    /// Different numbers.
    pub received: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Numbers that came again so late that it is not known any more whether it was the same message.
    pub unjudged: u64,
    pub conflicts: Conflicts,
    pub missing: Missing,
    /// Messages for whose number there was no room.
    pub unplaced: u64,
    pub run_count: usize,
    /// Runs whose end was not told.
    pub unfinished_runs: usize,
    /// The newest, at most [`LISTED_MAX`].
    pub runs: Vec<RunReport>,
    /// Messages of runs for which there was no room.
    pub of_other_runs: u64,
    pub heartbeat: Option<BeatReport>,
    /// What the agent itself says it lost, the most first.
    pub losses: Vec<LossReport>,
    /// Losses of kinds for which there was no room.
    pub other_losses: u64,
}

/// `agent`.
#[derive(Debug, Serialize)]
pub struct AgentName {
    pub id: Uuid,
}

/// `host`, as its last message has it.
#[derive(Debug, Serialize)]
pub struct HostName {
    pub hostname: String,
}

/// Whether anything is missing of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing, and its last message says that it ended.
    Complete,
    /// Nothing up to its last message; whether it told more is not known.
    CompleteUpTo,
    /// Numbers are missing.
    Gaps,
    /// None is missing, and one number is two messages.
    Conflicts,
    /// There was no room to judge all of it.
    Undecided,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(self) -> bool {
        match self {
            Self::Complete | Self::CompleteUpTo => true,
            Self::Gaps | Self::Conflicts | Self::Undecided => false,
        }
    }
}

/// Numbers that two different messages have.
#[derive(Debug, Default, Serialize)]
pub struct Conflicts {
    pub count: u64,
    /// At most [`LISTED_MAX`].
    pub first: Vec<ConflictReport>,
}

/// One of them, and where the second one stands.
#[derive(Debug, Serialize)]
pub struct ConflictReport {
    pub number: u64,
    pub file: String,
    pub line: u64,
}

/// Numbers that did not come.
#[derive(Debug, Default, Serialize)]
pub struct Missing {
    pub count: u64,
    /// How many ranges they are.
    pub ranges: u64,
    /// At most [`LISTED_MAX`].
    pub first: Vec<Range>,
}

/// One of them; both ends are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

/// What came of one run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// `agent.ephemeral_id`.
    pub id: Uuid,
    pub first: u64,
    pub last: u64,
    pub received: u64,
    /// It said that it ended in order.
    pub stopped: bool,
}

/// The last heartbeat.
#[derive(Debug, Serialize)]
pub struct BeatReport {
    pub number: u64,
    /// `@timestamp`.
    pub time: String,
}

/// What an agent says it lost, in all.
#[derive(Debug, Serialize)]
pub struct LossReport {
    pub what: String,
    pub reason: String,
    pub count: u64,
}

impl Damaged {
    pub(super) fn note(&mut self, place: Place<'_>, damage: Damage) {
        self.count += 1;
        if self.first.len() < LISTED_MAX {
            let Place { file, line } = place;
            self.first.push(DamageReport { file: file.to_owned(), line, reason: damage.text() });
        }
    }
}

impl Conflicts {
    pub(super) fn note(&mut self, number: u64, place: Place<'_>) {
        self.count += 1;
        if self.first.len() < LISTED_MAX {
            let Place { file, line } = place;
            self.first.push(ConflictReport { number, file: file.to_owned(), line });
        }
    }
}

impl Missing {
    pub(super) fn note(&mut self, from: u64, to: u64) {
        self.count = self.count.saturating_add(to.saturating_sub(from).saturating_add(1));
        self.ranges += 1;
        if self.first.len() < LISTED_MAX {
            self.first.push(Range { from, to });
        }
    }
}
