//! Joins what one process tree did into one account, so that a transfer is one alert with its
//! destination and file instead of a line per event.
//!
//! A story begins with a rule's match. It gathers for a moment (the alert must be out within a
//! second), follows the process and its descendants, and is told once; what the same tree matches
//! later under a rule already told is counted, under another rule it is told again. Pure: time is
//! an argument.

mod account;

use std::time::Duration;

use rustc_hash::FxHashMap;

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
/// Most stories open at once. Beyond it the oldest is told early, so nothing is lost.
const STORIES_MAX: usize = 4096;
/// Most connections followed to their end. Beyond it new ones end without their bytes.
const CONNECTIONS_MAX: usize = 16_384;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct StoryId(u64);

/// All stories that are not over.
#[derive(Default)]
pub struct Stories {
    open: FxHashMap<StoryId, Story>,
    members: FxHashMap<ProcessKey, StoryId>,
    connections: FxHashMap<u64, StoryId>,
    gather: Option<Duration>,
    next: u64,
    repeats: u64,
}

struct Story {
    account: Account,
    /// When it is told, `CLOCK_BOOTTIME` nanoseconds; none once it was.
    deadline: Option<u64>,
    root: ProcessKey,
    /// Members that have not ended.
    alive: usize,
    /// Rules that were told.
    told: Vec<String>,
}

impl Stories {
    /// With another wait than [`GATHER`].
    #[must_use]
    pub fn with_gather(gather: Duration) -> Self {
        Self { gather: Some(gather), ..Self::default() }
    }

    /// A rule matched.
    pub fn matched(&mut self, event: &Event, detection: Detection) {
        let id = match self.story_of(&event.process.key) {
            Some(id) => id,
            None => self.begin(event),
        };
        let gather = nanoseconds(self.gather.unwrap_or(GATHER));
        let Some(story) = self.open.get_mut(&id) else { return };
        if story.told.contains(&detection.id) {
            self.repeats += 1;
            return;
        }
        if story.deadline.is_none() {
            story.account = Account::begin(event);
            story.deadline = Some(event.time.saturating_add(gather));
        }
        story.account.add_match(event, detection);
    }

    /// Something happened; if a story is about its process, it becomes a step of it.
    pub fn observe(&mut self, event: &Event) {
        let Some(id) = self.story_of(&event.process.key) else { return };
        let Some(story) = self.open.get_mut(&id) else { return };
        if story.deadline.is_none() {
            return;
        }
        if let Body::NetworkConnection(connection) = &event.body
            && self.connections.len() < CONNECTIONS_MAX
        {
            self.connections.insert(connection.cookie, id);
            story.account.connect(connection.cookie, connection.address, connection.port);
        }
        if let Some(action) = action(event) {
            story.account.add_step(event.time, &event.process, action);
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

    /// A TCP connection ended.
    pub fn closed(&mut self, time: u64, cookie: u64, bytes_sent: u64, bytes_received: u64) {
        let Some(id) = self.connections.remove(&cookie) else { return };
        if let Some(story) = self.open.get_mut(&id) {
            story.account.close(time, cookie, bytes_sent, bytes_received);
        }
    }

    /// A process ended. `code` is as the kernel has it: status in bits 8-15, signal in bits 0-6.
    /// A forked process that never had a program of its own leaves no step.
    pub fn exited(&mut self, time: u64, key: &ProcessKey, process: Option<&Process>, code: u32) {
        let Some(id) = self.members.remove(key) else { return };
        let Some(story) = self.open.get_mut(&id) else { return };
        story.alive = story.alive.saturating_sub(1);
        let [status_byte, signal_byte] =
            [(code >> 8) & 0xff, code & 0x7f].map(|byte| u8::try_from(byte).ok());
        let signal = signal_byte.filter(|signal| *signal != 0);
        let status = if signal.is_some() { None } else { status_byte };
        if let Some(process) = process {
            story.account.add_step(time, process, Action::Exited { status, signal });
        }
        if *key == story.root {
            let linger = time.saturating_add(nanoseconds(LINGER));
            story.deadline = story.deadline.map(|deadline| deadline.min(linger));
        }
        self.forget(id);
    }

    /// Stories whose time has come, oldest first.
    pub fn due(&mut self, now: u64) -> Vec<Account> {
        let mut ids: Vec<StoryId> = self
            .open
            .iter()
            .filter(|(_, story)| story.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.tell(id)).collect()
    }

    /// All that have something to tell, however short they gathered: the agent ends.
    pub fn drain(&mut self) -> Vec<Account> {
        self.due(u64::MAX)
    }

    /// Stories beyond the bound, to be told early.
    pub fn overflow(&mut self) -> Vec<Account> {
        let mut accounts = Vec::new();
        while self.open.len() > STORIES_MAX {
            let Some(oldest) = self.open.keys().min().copied() else { break };
            accounts.extend(self.tell(oldest));
            self.remove(oldest);
            self.members.retain(|_, story| *story != oldest);
        }
        accounts
    }

    /// Matches that were counted instead of told.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    fn story_of(&self, key: &ProcessKey) -> Option<StoryId> {
        self.members.get(key).copied()
    }

    fn begin(&mut self, event: &Event) -> StoryId {
        let id = StoryId(self.next);
        self.next += 1;
        let root = event.process.key;
        let story =
            Story { account: Account::begin(event), deadline: None, root, alive: 1, told: Vec::new() };
        self.open.insert(id, story);
        self.members.insert(root, id);
        id
    }

    fn tell(&mut self, id: StoryId) -> Option<Account> {
        let story = self.open.get_mut(&id)?;
        story.deadline.take()?;
        story.told.extend(story.account.detections().map(|detection| detection.id.clone()));
        let account = story.account.clone();
        self.forget(id);
        Some(account)
    }

    /// Drops a story that is told and whose processes have all ended.
    fn forget(&mut self, id: StoryId) {
        if self.open.get(&id).is_some_and(|story| story.deadline.is_none() && story.alive == 0) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: StoryId) {
        let Some(story) = self.open.remove(&id) else { return };
        for cookie in story.account.open_connections() {
            self.connections.remove(&cookie);
        }
    }
}

/// What an event is as a step; none for what only names a lookup (`getaddrinfo` connects a UDP
/// socket to port 0 to learn its own address, glibc's sysdeps/posix/getaddrinfo.c).
fn action(event: &Event) -> Option<Action> {
    Some(match &event.body {
        Body::ProcessCreation => Action::Executed { command_line: event.process.command_line().to_owned() },
        Body::NetworkConnection(connection) if connection.port == 0 => return None,
        Body::NetworkConnection(connection) => Action::Connected {
            protocol: connection.protocol,
            address: connection.address,
            port: connection.port,
        },
        Body::FileEvent(file) => match file.action {
            FileAction::Open => Action::Opened { path: file.path.clone() },
            FileAction::Write => Action::Wrote { path: file.path.clone() },
            FileAction::Rename => {
                Action::Renamed { from: file.from.clone().unwrap_or_default(), to: file.path.clone() }
            }
        },
    })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Last component of the name a process is known by.
fn program(process: &Process) -> String {
    let name = process.executable.applet.as_deref().unwrap_or(&process.executable.path);
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
