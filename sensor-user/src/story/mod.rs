//! Joins what one process tree did into one account, so that a transfer is one alert with its
//! destination and file instead of a line per event.
//!
//! A story begins with a rule's match. It gathers for a moment (the alert must be out within a
//! second), follows the process and its descendants, and is told; if it went on after that, its end
//! is told as an amendment, with the final byte counts and file names. What the same tree matches
//! later under a rule already told is counted, under another rule it is a new account. Pure: time is
//! an argument.

mod account;
mod correlation;
mod late;

use std::time::Duration;

use rustc_hash::FxHashMap;

use account::place;
pub use account::{Account, STEPS_MAX};

use crate::alert::{Action, Detection};
use crate::event::{Body, Event, FileAction};
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
/// Most stories open at once, and most findings of correlations that gather. Beyond it the oldest is told early, so nothing is lost.
const STORIES_MAX: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct StoryId(u64);

/// All stories that are not over.
#[derive(Default)]
pub struct Stories {
    open: FxHashMap<StoryId, Story>,
    members: FxHashMap<ProcessKey, StoryId>,
    /// Members that have ended and whose connections have not.
    settling: FxHashMap<ProcessKey, StoryId>,
    /// What correlations found, and until when each waits.
    findings: Vec<(u64, Account)>,
    bare: u64,
    gather: Option<Duration>,
    /// Accounts begun so far.
    accounts: u64,
    repeats: u64,
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
    /// The same when all had ended. What connections that outlive them do after that is told when it is over.
    is_amended_after_all: bool,
    /// Members that ended before their connections.
    settling: Vec<ProcessKey>,
    /// Rules that were told.
    told: Vec<String>,
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
        let until = event.time.saturating_add(nanoseconds(self.gather.unwrap_or(GATHER)));
        let id = match self.story_of(&event.process.key) {
            Some(id) => id,
            None => self.begin(event, until),
        };
        let Some(story) = self.open.get_mut(&id) else { return };
        if story.told.contains(&detection.id) {
            self.repeats += 1;
            return;
        }
        if let Phase::Told { .. } = story.phase {
            self.accounts += 1;
            let former = std::mem::replace(&mut story.account, Account::begin(event, self.accounts));
            story.account.follow(&former);
            (story.is_amended, story.is_amended_after_all) = (false, false);
            story.phase = Phase::Gathering { until };
        }
        story.account.add_match(event, detection);
    }

    /// Something happened; if a story is about its process, it becomes a step of it.
    pub fn observe(&mut self, event: &Event) {
        let Some(id) = self.story_of(&event.process.key) else { return };
        let Some(story) = self.open.get_mut(&id) else { return };
        match &event.body {
            Body::NetworkConnection(connection) if connection.connected && connection.port != 0 => {
                story.account.connect(event.process.key, connection.socket);
            }
            Body::NetworkFlow(flow) => {
                if story.account.flow(event.time, &event.process, flow) {
                    story.phase.note();
                }
                return;
            }
            Body::ProcessCreation
            | Body::ProcessAccess(_)
            | Body::NetworkConnection(_)
            | Body::NetworkSocket(_)
            | Body::DnsQuery(_)
            | Body::FileEvent(_)
            | Body::SystemChange(_) => {}
        }
        if let Body::FileEvent(file) = &event.body
            && file.action == FileAction::Close
        {
            if story.account.close_file(event.time, &event.process, file) {
                story.phase.note();
            }
        } else if let Some(action) = action(event)
            && story.account.add_step(event.time, &event.process, action)
        {
            story.phase.note();
        }
    }

    /// A process forked: the child belongs to its parent's story.
    pub fn forked(&mut self, parent: &ProcessKey, child: ProcessKey) {
        let Some(id) = self.story_of(parent) else { return };
        if let Some(story) = self.open.get_mut(&id) {
            story.alive += 1;
            self.members.insert(child, id);
        }
    }

    /// A process ended. `code` is as the kernel has it: status in bits 8-15, signal in bits 0-6.
    /// A forked process that never had a program of its own leaves no step.
    pub fn exited(&mut self, time: u64, key: &ProcessKey, process: Option<&Process>, code: u32) {
        let Some(id) = self.members.remove(key) else { return };
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
        if let Some(process) = process {
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

    /// What is to be told now, oldest first.
    pub fn due(&mut self, now: u64) -> Vec<Account> {
        let mut ids: Vec<StoryId> =
            self.open.iter().filter(|(_, story)| story.is_due(now)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let mut accounts: Vec<Account> = ids.into_iter().filter_map(|id| self.turn(id, now)).collect();
        accounts.extend(self.findings_due(now));
        accounts
    }

    /// All that have something to tell, however short they gathered: the agent ends.
    pub fn drain(&mut self) -> Vec<Account> {
        for story in self.open.values_mut() {
            story.all_ended.get_or_insert(0);
        }
        self.due(u64::MAX)
    }

    /// Stories beyond the bound, to be told early.
    pub fn overflow(&mut self) -> Vec<Account> {
        let mut accounts: Vec<Account> = self.findings_overflow().collect();
        while self.open.len() > STORIES_MAX {
            let Some(oldest) = self.open.keys().min().copied() else { break };
            accounts.extend(self.open.get_mut(&oldest).and_then(Story::tell));
            self.remove(oldest);
            self.members.retain(|_, story| *story != oldest);
        }
        accounts
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

    /// Matches that were counted instead of told.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    fn story_of(&self, key: &ProcessKey) -> Option<StoryId> {
        self.members.get(key).or_else(|| self.settling.get(key)).copied()
    }

    fn begin(&mut self, event: &Event, until: u64) -> StoryId {
        self.accounts += 1;
        let id = StoryId(self.accounts);
        let root = event.process.key;
        let account = Account::begin(event, self.accounts);
        let phase = Phase::Gathering { until };
        let story = Story {
            account,
            phase,
            root,
            alive: 1,
            root_ended: None,
            all_ended: None,
            is_amended: false,
            is_amended_after_all: false,
            settling: Vec::new(),
            told: Vec::new(),
        };
        self.open.insert(id, story);
        self.members.insert(root, id);
        id
    }

    /// Tells what a story has to tell; one that is over is dropped.
    fn turn(&mut self, id: StoryId, now: u64) -> Option<Account> {
        let story = self.open.get_mut(&id)?;
        let account = story.tell();
        if story.is_over(now) {
            self.remove(id);
        }
        account
    }

    fn remove(&mut self, id: StoryId) {
        let Some(story) = self.open.remove(&id) else { return };
        for key in story.settling {
            self.settling.remove(&key);
        }
    }
}

impl Story {
    /// Is there something to tell, or nothing more to wait for?
    fn is_due(&self, now: u64) -> bool {
        match self.phase {
            Phase::Gathering { until } => until <= now,
            Phase::Told { has_news } => {
                let is_root_over = self.root_ended.is_some_and(|ended| lingered(ended) <= now);
                let is_all_over = self.all_ended.is_some_and(|ended| lingered(ended) <= now);
                let is_awaited =
                    is_root_over && !self.is_amended || is_all_over && !self.is_amended_after_all;
                self.is_over(now) || has_news && is_awaited
            }
        }
    }

    /// All members have ended, and their connections too, or had the time to.
    fn is_over(&self, now: u64) -> bool {
        let is_settled =
            |ended: u64| !self.account.awaits_end(None) || ended.saturating_add(nanoseconds(SETTLE)) <= now;
        self.all_ended.is_some_and(|ended| lingered(ended) <= now && is_settled(ended))
    }

    fn tell(&mut self) -> Option<Account> {
        match self.phase {
            Phase::Gathering { .. } => {
                self.told.extend(self.account.detections().map(|detection| detection.id.clone()));
            }
            Phase::Told { has_news: true } => {
                self.account.is_amendment = true;
                self.is_amended = true;
                self.is_amended_after_all = self.all_ended.is_some();
            }
            Phase::Told { has_news: false } => return None,
        }
        self.phase = Phase::Told { has_news: false };
        Some(self.account.clone())
    }
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

/// What an event is as a step; none for what only names a lookup (`getaddrinfo` connects a UDP
/// socket to port 0 to learn its own address, glibc's sysdeps/posix/getaddrinfo.c).
fn action(event: &Event) -> Option<Action> {
    Some(match &event.body {
        Body::ProcessCreation => Action::Executed { command_line: event.process.command_line().to_owned() },
        Body::NetworkConnection(connection) if connection.port == 0 => return None,
        Body::NetworkConnection(connection) => {
            Action::Connected { place: place(connection), direction: connection.direction }
        }
        Body::FileEvent(file) => match file.action {
            FileAction::Open => Action::Opened { path: file.path.clone() },
            FileAction::Write => Action::Wrote { path: file.path.clone(), bytes: None, size: None },
            FileAction::Rename => {
                Action::Renamed { from: file.from.clone().unwrap_or_default(), to: file.path.clone() }
            }
            FileAction::Link => {
                Action::Linked { from: file.from.clone().unwrap_or_default(), to: file.path.clone() }
            }
            FileAction::Delete => Action::Deleted { path: file.path.clone() },
            FileAction::Mode => Action::MadeExecutable { path: file.path.clone() },
            FileAction::Read => Action::Read { path: file.path.clone() },
            // It belongs to the step of its write.
            FileAction::Close => return None,
        },
        Body::ProcessAccess(_)
        | Body::NetworkFlow(_)
        | Body::NetworkSocket(_)
        | Body::DnsQuery(_)
        | Body::SystemChange(_) => return None,
    })
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
