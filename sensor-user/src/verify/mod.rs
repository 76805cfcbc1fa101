//! Proves that a received log is complete: every number of every agent that it should have.
//!
//! ```text
//! line ──> line.rs: is there a message of ours? ──> log.rs: its agent's numbers, runs, losses ──> report.rs
//!            └─ not ours, or damaged: counted        number.rs: ranges   seen.rs: which message a number was
//! ```
//!
//! It reads any order of lines from any number of files once, in bounded memory ([`Bounds`]): what there is no room for
//! is counted, and then nothing is called complete. It proves completeness, not authorship: a log says what whoever
//! could write to it wanted it to say. Reading is the caller's; nothing here opens a file.

mod input;
mod line;
mod number;
mod seen;
mod log;
mod report;

use std::collections::HashMap;
use std::io::{self, BufRead};

use thiserror::Error;
use uuid::Uuid;

use input::{Ending, Lines};
use line::{Message, Reading};
use log::AgentLog;
pub use report::{
    AgentReport, BeatReport, ConflictReport, Conflicts, DamageReport, Damaged, LossReport, Missing, Range,
    Report, RunReport, Verdict,
};
use seen::Seen;

/// Most of what is listed of anything: what a person reads. Beyond it there is a number.
pub const LISTED_MAX: usize = 20;

/// What is kept while reading. Beyond it messages are counted and not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Agents: as many hosts as one receiver serves.
    pub agents: usize,
    /// Ranges of numbers, of all agents together, some 40 bytes each. A log that was shuffled line by line has a range
    /// for every fourth line halfway through: enough for four million lines of that kind, and any number in order.
    pub ranges: usize,
    /// Blocks of 64 numbers whose messages are told apart, 8 bytes each: the newest eight million. Messages come
    /// twice when a connection broke, so shortly after another.
    pub blocks: usize,
    /// Runs, of all agents together, some 100 bytes each.
    pub runs: usize,
    /// Kinds and reasons of losses, of all agents together, at most a kilobyte each.
    pub losses: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { agents: 16_384, ranges: 1 << 20, blocks: 1 << 17, runs: 1 << 17, losses: 1 << 16 }
    }
}

/// Why a log cannot be judged.
#[derive(Debug, Error)]
pub enum VerifyError {
    #[error("{file}: {source}")]
    Unreadable { file: String, source: io::Error },
    #[error("{file} is compressed")]
    Compressed { file: String },
    #[error("none of its {lines} lines holds a message of this sensor")]
    Nothing { lines: u64 },
}

impl VerifyError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name files that this user may read, or `-` for standard input",
            Self::Compressed { .. } => "unpack it on the way: `zcat FILE | tidewaiter verify -`",
            Self::Nothing { .. } => {
                "give it the file that the receiver wrote: one message a line, as the agent's JSON or in any form of a \
                 syslog daemon that has the JSON whole"
            }
        }
    }
}

/// What is judged, and how far it is read.
#[derive(Debug)]
pub struct Verifier {
    bounds: Bounds,
    /// A log that does not begin at 1 lacks what came before.
    from_start: bool,
    lines: u64,
    documents: u64,
    foreign: u64,
    damaged: Damaged,
    /// Messages for whose number there was no room.
    unplaced: u64,
    agents: HashMap<Uuid, usize>,
    logs: Vec<AgentLog>,
    seen: Seen,
    room: Room,
}

/// What is left of the bounds that all agents share.
#[derive(Debug)]
struct Room {
    ranges: usize,
    runs: usize,
    losses: usize,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    file: &'a str,
    line: u64,
}

impl Verifier {
    /// `from_start`: every agent's numbers have to begin at 1.
    #[must_use]
    pub fn new(from_start: bool) -> Self {
        Self::bounded(from_start, Bounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn bounded(from_start: bool, bounds: Bounds) -> Self {
        let Bounds { ranges, runs, losses, blocks, .. } = bounds;
        Self {
            bounds,
            from_start,
            lines: 0,
            documents: 0,
            foreign: 0,
            damaged: Damaged::default(),
            unplaced: 0,
            agents: HashMap::new(),
            logs: Vec::new(),
            seen: Seen::new(blocks),
            room: Room { ranges, runs, losses },
        }
    }

    /// Reads a log to its end. `file` is its name, for places.
    ///
    /// # Errors
    /// [`VerifyError::Unreadable`], with what was read before taken in; [`VerifyError::Compressed`].
    pub fn read(&mut self, file: &str, log: impl BufRead) -> Result<(), VerifyError> {
        let unreadable = |source| VerifyError::Unreadable { file: file.to_owned(), source };
        let mut lines = Lines::new(log);
        if lines.is_compressed().map_err(unreadable)? {
            return Err(VerifyError::Compressed { file: file.to_owned() });
        }
        let mut line = 0;
        while let Some((bytes, ending)) = lines.next().map_err(unreadable)? {
            line += 1;
            self.line(Place { file, line }, bytes, ending);
        }
        Ok(())
    }

    fn line(&mut self, place: Place<'_>, bytes: &[u8], ending: Ending) {
        self.lines += 1;
        let reading = match ending {
            Ending::Whole => line::read(bytes),
            Ending::TooLong => line::read_too_long(bytes),
        };
        match reading {
            Reading::Message(message) => {
                self.documents += 1;
                self.take(place, *message);
            }
            Reading::Damaged(damage) => self.damaged.note(place, damage),
            Reading::Foreign => self.foreign += 1,
        }
    }

    fn take(&mut self, place: Place<'_>, message: Message) {
        let known = self.agents.get(&message.agent).copied();
        let index = match known {
            Some(index) => index,
            None if self.logs.len() < self.bounds.agents => {
                self.agents.insert(message.agent, self.logs.len());
                self.logs.push(AgentLog::new(message.agent));
                self.logs.len() - 1
            }
            None => {
                self.unplaced += 1;
                return;
            }
        };
        if let Some(log) = self.logs.get_mut(index) {
            self.unplaced += u64::from(!log.take(index, place, message, &mut self.room, &mut self.seen));
        }
    }

    /// What came of it.
    ///
    /// # Errors
    /// [`VerifyError::Nothing`] when no line held a message, nor what is left of one.
    pub fn finish(self) -> Result<Report, VerifyError> {
        if self.documents == 0 && self.damaged.count == 0 {
            return Err(VerifyError::Nothing { lines: self.lines });
        }
        let mut agents: Vec<AgentReport> =
            self.logs.into_iter().filter_map(|log| log.report(self.from_start)).collect();
        agents.sort_by(|one, other| {
            (&one.host.hostname, one.agent.id).cmp(&(&other.host.hostname, other.agent.id))
        });
        let is_complete = agents.iter().all(|agent| agent.verdict.is_good())
            && self.damaged.count == 0
            && self.unplaced == 0;
        Ok(Report {
            complete: is_complete,
            lines: self.lines,
            documents: self.documents,
            foreign: self.foreign,
            damaged: self.damaged,
            unplaced: self.unplaced,
            agents,
        })
    }
}

#[cfg(test)]
mod tests;
