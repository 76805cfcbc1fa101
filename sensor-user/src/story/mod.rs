//! Joins what one process tree did into one account, so that a transfer is one alert with its
//! destination and file instead of a line per event.
//!
//! A story begins with a rule's match and with what led to it ([`past`]). It gathers for a moment (the alert must be
//! out within a second), follows the process and its descendants, its script, and what runs a file that it wrote
//! ([`scope`]), and is told; if it went on after that, its end is told as an amendment, with the final byte counts and
//! file names. A match that has another technique is the next alert of the same story, with all that was told; what
//! matches again is counted. What the steps amount to raises the level ([`chain`]). Pure: time is an argument.

mod account;
mod chain;
mod scope;
mod tie;
mod deed;
mod past;
mod correlation;
mod late;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use sigma::Level;

pub use account::{Account, Proof, STEPS_MAX};
use account::{key, place};
pub use chain::{Chain, Link};
use deed::action;
use past::Past;
use scope::Scope;
use tie::Tie;

use crate::alert::{Action, Correlation, Detection};
use crate::event::Event;
use crate::state::process::{Process, ProcessKey};

/// Longest wait from the first match to the alert: with the ring's 10 ms and a sink's delivery the
/// alert is at its receiver within a second of the system call.
pub const GATHER: Duration = Duration::from_millis(700);
/// Wait after the process ended: its sockets close after its exit record, the peer's last
/// acknowledgement takes a round trip, and renames arrive by another way.
const LINGER: Duration = Duration::from_millis(100);
/// Longest wait for the end of connections after the last process ended: the kernel still sends what it has,
/// and a peer that has not taken it by then may never.
const SETTLE: Duration = Duration::from_secs(10);
/// How long a story that has ended waits for the next match: within this what the same script, container entry or
/// written file leads to is the same story.
const QUIET: Duration = Duration::from_secs(300);
/// How often stories that are at rest are looked at: whether one is over may wait as long.
const BEAT: Duration = Duration::from_secs(1);
/// How long a story takes in further matches. A container whose work matches every minute has a story an hour.
const AGE_MAX: Duration = Duration::from_secs(3600);
/// Most stories open at once. Beyond it the oldest is told early, so nothing is lost.
const STORIES_MAX: usize = 4096;
/// Most processes of a story that are remembered to have written files, and most scripts. What a later one's files
/// lead to is a story of its own.
const TIES_MAX: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct StoryId(u64);

/// All stories that are not over.
#[derive(Default)]
pub struct Stories {
    open: FxHashMap<StoryId, Story>,
    /// Of these, those that may have something to tell, or to wait for, within a [`BEAT`].
    restless: FxHashSet<StoryId>,
    /// When all were looked at last, `CLOCK_BOOTTIME` nanoseconds.
    looked: u64,
    members: FxHashMap<ProcessKey, Member>,
    /// Members that have ended and whose connections have not.
    settling: FxHashMap<ProcessKey, StoryId>,
    /// Scripts, ways into a container, and processes that wrote files: what they lead to belongs to the story.
    groups: FxHashMap<ProcessKey, StoryId>,
    entries: FxHashMap<ProcessKey, StoryId>,
    writers: FxHashMap<ProcessKey, StoryId>,
    past: Past,
    /// What happens is known to `past` already.
    is_late: bool,
    bare: u64,
    gather: Option<Duration>,
    /// Accounts begun so far.
    accounts: u64,
    repeats: u64,
}

#[derive(Clone, Copy)]
struct Member {
    story: StoryId,
    part: Part,
}

/// How closely a story follows a process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It matched, is below one that did, or runs what the story brought in: all it does is told.
    Full,
    /// It belongs to the same script: what stories are made of is told.
    Beside,
}

struct Story {
    account: Account,
    phase: Phase,
    root: ProcessKey,
    /// Members that have not ended.
    alive: usize,
    /// When its root ended, and when its last member did, `CLOCK_BOOTTIME` nanoseconds.
    root_ended: Option<u64>,
    all_ended: Option<u64>,
    /// Its end was told when the root ended. What children do after that is told when all have.
    is_amended: bool,
    /// The same when all had ended, and when their connections had. What comes after that is told when it is over.
    is_amended_after_all: bool,
    is_amended_after_settling: bool,
    /// Members that ended before their connections.
    settling: Vec<ProcessKey>,
    /// Keys of matches, and techniques, that were told.
    told: Vec<String>,
    techniques: Vec<String>,
    /// The level that was told.
    level: Option<Level>,
    /// Scripts, entries and writers that lead here.
    ties: Vec<(Tie, ProcessKey)>,
    /// When its last match was, `CLOCK_BOOTTIME` nanoseconds.
    matched: u64,
    /// A match under what was told already, or a rise of the level: to be told then.
    amend: Option<u64>,
    /// Matches counted since it was told.
    counted: u64,
}

/// Where a story stands. Times are `CLOCK_BOOTTIME` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be told then.
    Gathering { until: u64 },
    /// Told. What came since makes an amendment.
    Told { has_news: bool },
}

impl Stories {
    /// With another wait than [`GATHER`].
    #[must_use]
    pub fn with_gather(gather: Duration) -> Self {
        Self { gather: Some(gather), ..Self::default() }
    }

    /// A rule matched.
    pub fn matched(&mut self, event: &Event, detection: Detection) {
        self.matched_by(event, detection, None);
    }

    fn matched_by(&mut self, event: &Event, detection: Detection, correlation: Option<Correlation>) {
        let until = event.time.saturating_add(nanoseconds(self.gather.unwrap_or(GATHER)));
        let scope = Scope::of(event);
        let part = if correlation.is_some() { Part::Beside } else { Part::Full };
        let id = match self.home(event, scope, true) {
            Some(id) => id,
            None => self.begin(event, scope, until, correlation.is_some()),
        };
        self.join_member(id, event, part);
        let key = key(&detection, correlation.as_ref());
        let is_known = |story: &Story| story.account.evidence.iter().any(|proof| proof.key == key);
        if !self.open.get(&id).is_some_and(is_known) {
            self.tie(id, scope.group, Tie::Group);
            if let Some(entry) = scope.entry {
                self.tie(id, entry, Tie::Entry);
            }
        }
        self.restless.insert(id);
        let Some(story) = self.open.get_mut(&id) else { return };
        story.matched = story.matched.max(event.time);
        if story.told.contains(&key) {
            story.counted += 1;
            story.account.count(&key);
            self.repeats += 1;
            return;
        }
        if let Phase::Told { .. } = story.phase {
            let is_new = !story.techniques.contains(&technique(&detection));
            if is_new {
                self.accounts += 1;
                story.account = story.account.next(event, self.accounts);
                (story.is_amended, story.is_amended_after_all, story.is_amended_after_settling) =
                    (false, false, false);
                story.phase = Phase::Gathering { until };
            } else {
                story.phase.note();
                story.amend.get_or_insert(until);
            }
        }
        story.account.enrol(event);
        story.account.add_match(event, detection, correlation);
    }

    /// Something happened; if a story is about its process, it becomes a step of it. Else it is kept for a while.
    pub fn observe(&mut self, event: &Event) {
        // Most are of processes nobody follows.
        if self.story_of(&event.process.key).is_none() && !past::is_notable(event) {
            return;
        }
        let scope = Scope::of(event);
        let Some(id) = self.home(event, scope, false) else {
            if !self.is_late {
                self.past.note(event, scope);
            }
            return;
        };
        let is_brought = self.runs_what_was_brought(event, id);
        let part = if is_brought { Part::Full } else { Part::Beside };
        if self.story_of(&event.process.key).is_none() {
            self.join_member(id, event, part);
        }
        let part = self.members.get(&event.process.key).map_or(Part::Beside, |member| member.part);
        self.tell_step(id, event, part, is_brought);
    }

    /// A process forked: the child belongs to its parent's story.
    pub fn forked(&mut self, parent: &ProcessKey, child: ProcessKey) {
        let Some(member) = self.members.get(parent).copied() else { return };
        self.restless.insert(member.story);
        if let Some(story) = self.open.get_mut(&member.story) {
            story.alive += 1;
            story.all_ended = None;
            self.members.insert(child, member);
        }
    }

    /// A process ended. `code` is as the kernel has it: status in bits 8-15, signal in bits 0-6.
    /// A forked process that never had a program of its own leaves no step.
    pub fn exited(&mut self, time: u64, key: &ProcessKey, process: Option<&Process>, code: u32) {
        let Some(Member { story: id, part }) = self.members.remove(key) else { return };
        self.restless.insert(id);
        let Some(story) = self.open.get_mut(&id) else { return };
        story.alive = story.alive.saturating_sub(1);
        if story.account.awaits_end(Some(*key)) {
            self.settling.insert(*key, id);
            story.settling.push(*key);
        }
        let [status_byte, signal_byte] =
            [(code >> 8) & 0xff, code & 0x7f].map(|byte| u8::try_from(byte).ok());
        let signal = signal_byte.filter(|signal| *signal != 0);
        let status = if signal.is_some() { None } else { status_byte };
        let is_told = part == Part::Full || story.account.has_step(key.pid);
        if let Some(process) = process.filter(|_| is_told) {
            story.account.add_step(time, process, Action::Exited { status, signal });
        }
        if story.alive == 0 {
            story.all_ended = Some(time);
        }
        if *key == story.root {
            story.root_ended = Some(time);
            if let Phase::Gathering { until } = &mut story.phase {
                *until = (*until).min(lingered(time));
            }
        }
    }

    /// A container is gone.
    pub fn container_ended(&mut self, id: &Arc<str>) {
        self.past.forget(id);
    }

    /// Files that this process of a story wrote, of which nobody has told how much: each by the name it was
    /// written under and the one it has now.
    #[must_use]
    pub fn unsized_files(&self, key: &ProcessKey) -> Vec<(String, String)> {
        let story = self.story_of(key).and_then(|id| self.open.get(&id));
        story.map(|story| story.account.unsized_files(key.pid)).unwrap_or_default()
    }

    /// Is this process in a story? What others do, no story needs.
    #[must_use]
    pub fn follows(&self, key: &ProcessKey) -> bool {
        self.story_of(key).is_some()
    }

    /// Is there any story, which others may come to belong to?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Stories that are not over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Matches that were counted instead of told.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    fn story_of(&self, key: &ProcessKey) -> Option<StoryId> {
        let member = self.members.get(key).map(|member| member.story);
        member.or_else(|| self.settling.get(key).copied())
    }

    fn begin(&mut self, event: &Event, scope: Scope, until: u64, is_finding: bool) -> StoryId {
        self.accounts += 1;
        let id = StoryId(self.accounts);
        let root = event.process.key;
        let story = Story {
            account: Account::begin(event, self.accounts),
            phase: Phase::Gathering { until },
            root,
            alive: 0,
            root_ended: None,
            all_ended: None,
            is_amended: false,
            is_amended_after_all: false,
            is_amended_after_settling: false,
            settling: Vec::new(),
            told: Vec::new(),
            techniques: Vec::new(),
            level: None,
            ties: Vec::new(),
            matched: event.time,
            amend: None,
            counted: 0,
        };
        self.open.insert(id, story);
        self.restless.insert(id);
        if !is_finding && let Some(story) = self.open.get_mut(&id) {
            story.account.run(event);
        }
        for memory in self.past.recall(&event.process, scope, event.time) {
            self.tell_step(id, &memory.event, Part::Beside, false);
        }
        id
    }

    fn remove(&mut self, id: StoryId) {
        self.restless.remove(&id);
        let Some(story) = self.open.remove(&id) else { return };
        for key in story.settling {
            self.settling.remove(&key);
        }
        for (tie, key) in story.ties {
            if self.ties(tie).get(&key) == Some(&id) {
                self.ties_mut(tie).remove(&key);
            }
        }
    }
}

/// What an alert of a story is about: the first technique of its rule.
fn technique(detection: &Detection) -> String {
    detection.techniques.first().unwrap_or(&detection.id).clone()
}

impl Phase {
    /// Something worth telling happened.
    fn note(&mut self) {
        match self {
            Self::Gathering { .. } => {}
            Self::Told { has_news } => *has_news = true,
        }
    }
}

fn lingered(time: u64) -> u64 {
    time.saturating_add(nanoseconds(LINGER))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Last component of the name a process is known by.
fn program(process: &Process) -> String {
    let name = process.executable.telling();
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
