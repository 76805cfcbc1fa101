//! One account: its steps in order, within its bounds.

use std::sync::Arc;

use sigma::Correlated;

use super::correlation::deed;
use super::program;
use crate::alert::{Action, Correlation, Detection, Place, Step};
use crate::event::{Connection, Event, FileChange, Flow, FlowState};
use crate::state::container::Container;
use crate::state::phase::Phase;
use crate::state::process::{Process, ProcessKey};

/// Most steps an account carries; further ones are counted. A transfer has under ten, a build
/// script that is caught has its beginning told.
pub const STEPS_MAX: usize = 64;
/// How long before the match the process may have started for its start to be the first step,
/// nanoseconds. A server that ran for days begins its story with what it did.
const RECENT_START: u64 = 10_000_000_000;

/// Whose doing a match is: the process, its ancestors, the name of its user, what its container was doing.
type Who<'w> = (&'w Arc<Process>, &'w [Arc<Process>], Option<&'w Arc<str>>, Option<Phase>);

/// What becomes an alert.
#[derive(Clone, Debug)]
pub struct Account {
    /// Counts the accounts of this run: an amendment has the number of what it amends.
    pub number: u64,
    /// Told before: since then it went on, or its container got a name.
    pub is_amendment: bool,
    /// When its first step happened, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    /// The process of the gravest match.
    pub process: Arc<Process>,
    pub ancestors: Vec<Arc<Process>>,
    pub container: Option<Arc<Container>>,
    /// What the container was doing.
    pub phase: Option<Phase>,
    pub user: Option<Arc<str>>,
    pub steps: Vec<Step>,
    pub steps_omitted: u32,
    /// Payload bytes of connections whose end is among these.
    pub bytes_omitted: (u64, u64),
    /// What was found, where the steps are the matches of a correlation.
    pub correlation: Option<Correlation>,
    detection: Option<Detection>,
    related: Vec<Detection>,
    /// Connections whose end is awaited: who uses which socket.
    open: Vec<(ProcessKey, u64)>,
}

impl Account {
    /// The account of an event's process, with the start of its program where that was recent.
    #[must_use]
    pub fn begin(event: &Event, number: u64) -> Self {
        let process = &event.process;
        let is_recent = event.time.saturating_sub(process.exec_time) <= RECENT_START;
        let time = if is_recent { process.exec_time.min(event.time) } else { event.time };
        let mut account = Self {
            number,
            is_amendment: false,
            time,
            process: Arc::clone(process),
            ancestors: event.ancestors.clone(),
            container: event.container.clone(),
            phase: event.phase,
            user: event.user.clone(),
            steps: Vec::new(),
            steps_omitted: 0,
            bytes_omitted: (0, 0),
            correlation: None,
            detection: None,
            related: Vec::new(),
            open: Vec::new(),
        };
        if is_recent {
            let command_line = process.command_line().to_owned();
            account.add_step(time, process, Action::Executed { command_line });
        }
        account
    }

    /// The account of what a correlation found. Its steps are the matches in their order, of whichever process,
    /// and its process is that of the last.
    pub fn of_correlation(
        found: &Correlated<Arc<Event>>,
        detection: Detection,
        correlation: Correlation,
        number: u64,
    ) -> Option<Self> {
        let last = &found.steps.last()?.event;
        let mut account = Self::begin(last, number);
        account.time = found.steps.first().map_or(found.first, |step| step.time.min(found.first));
        account.steps.clear();
        let skipped = found.steps.len().saturating_sub(STEPS_MAX);
        for step in found.steps.iter().skip(skipped) {
            let (offset, process) = (step.time.saturating_sub(account.time), &step.event.process);
            let action = deed(&step.event);
            account.push(Step { offset, pid: process.key.pid, program: program(process), action });
        }
        let told = u64::try_from(account.steps.len()).unwrap_or(u64::MAX);
        account.steps_omitted = u32::try_from(found.matches.saturating_sub(told)).unwrap_or(u32::MAX);
        (account.detection, account.correlation) = (Some(detection), Some(correlation));
        Some(account)
    }

    /// Adds a match; the gravest leads, and of equals the earliest.
    pub fn add_match(&mut self, event: &Event, detection: Detection) {
        self.add_detection(detection, (&event.process, &event.ancestors, event.user.as_ref(), event.phase));
    }

    /// The same story as another account tells it, whose beginning may be an earlier one.
    pub fn join(&mut self, other: Self) {
        let Self { process, ancestors, user, phase, detection, related, .. } = other;
        for detection in detection.into_iter().chain(related) {
            self.add_detection(detection, (&process, &ancestors, user.as_ref(), phase));
        }
        if other.time < self.time {
            self.time = other.time;
            self.steps = other.steps;
            self.steps_omitted = other.steps_omitted;
            self.bytes_omitted = other.bytes_omitted;
        }
    }

    /// Drops matches of these rules; returns how many.
    pub fn forget(&mut self, rules: &[String]) -> u64 {
        let mut detections: Vec<Detection> =
            self.detection.take().into_iter().chain(self.related.drain(..)).collect();
        let before = detections.len();
        detections.retain(|detection| !rules.contains(&detection.id));
        let dropped = before - detections.len();
        let mut left = detections.into_iter();
        self.detection = left.next();
        self.related = left.collect();
        u64::try_from(dropped).unwrap_or(u64::MAX)
    }

    fn add_detection(&mut self, detection: Detection, who: Who<'_>) {
        match &mut self.detection {
            None => self.detection = Some(detection),
            Some(leading) if detection.id == leading.id => {}
            Some(leading) if detection.level > leading.level => {
                let former = std::mem::replace(leading, detection);
                self.related.push(former);
                let (process, ancestors, user, phase) = who;
                self.process = Arc::clone(process);
                self.ancestors = ancestors.to_vec();
                self.user = user.cloned();
                self.phase = phase;
            }
            Some(_) if self.related.iter().any(|known| known.id == detection.id) => {}
            Some(_) => self.related.push(detection),
        }
    }

    /// Every match, the leading one first.
    pub fn detections(&self) -> impl Iterator<Item = &Detection> {
        self.detection.iter().chain(&self.related)
    }

    /// Adds a step unless the same process already did the same. True: it is news.
    pub fn add_step(&mut self, time: u64, process: &Process, action: Action) -> bool {
        if self.steps.iter().any(|step| step.pid == process.key.pid && is_repeat(&step.action, &action)) {
            return false;
        }
        let offset = time.saturating_sub(self.time);
        self.push(Step { offset, pid: process.key.pid, program: program(process), action })
    }

    /// Remembers a connection, so that its end is awaited; at most as many as there can be steps.
    pub fn connect(&mut self, process: ProcessKey, socket: u64) {
        if self.open.len() < STEPS_MAX && !self.open.contains(&(process, socket)) {
            self.open.push((process, socket));
        }
    }

    /// Is the end of a connection awaited, of this process or of any?
    #[must_use]
    pub fn awaits_end(&self, of: Option<ProcessKey>) -> bool {
        self.open.iter().any(|(process, _)| of.is_none_or(|of| of == *process))
    }

    /// Goes on where another account of the same story was told.
    pub fn follow(&mut self, former: &Self) {
        self.open.clone_from(&former.open);
    }

    /// A connection moved data, failed or ended. What it had moved before is told anew. True: it is news.
    pub fn flow(&mut self, time: u64, process: &Process, flow: &Flow) -> bool {
        let Flow { connection, bytes_sent, bytes_received, state, .. } = flow;
        let (bytes_sent, bytes_received, socket) = (*bytes_sent, *bytes_received, connection.socket);
        let place = place(connection);
        let is_former = |step: &Step| {
            step.pid == process.key.pid
                && matches!(&step.action, Action::Transferred { place: it, socket: of, .. }
                    if *of == socket && it.is_same(&place))
        };
        let former = self.steps.iter().position(is_former).map(|index| self.steps.remove(index));
        if *state != FlowState::Open {
            self.open.retain(|known| *known != (process.key, socket));
        }
        let action = match *state {
            FlowState::Open if former.is_none() && self.steps.len() >= STEPS_MAX => return false,
            FlowState::Open => Action::Transferred { place, socket, bytes_sent, bytes_received },
            FlowState::Closed => Action::Disconnected { place, bytes_sent, bytes_received },
            FlowState::Failed(error) => Action::Failed { place, error },
        };
        let offset = time.saturating_sub(self.time);
        if !self.push(Step { offset, pid: process.key.pid, program: program(process), action }) {
            self.bytes_omitted.0 = self.bytes_omitted.0.saturating_add(bytes_sent);
            self.bytes_omitted.1 = self.bytes_omitted.1.saturating_add(bytes_received);
        }
        true
    }

    /// A file that the process wrote was closed: the step of its write learns how much it was. True: it
    /// is news.
    pub fn close_file(&mut self, time: u64, process: &Process, file: &FileChange) -> bool {
        let known = self.steps.iter_mut().rev().find(|step| {
            step.pid == process.key.pid
                && matches!(&step.action, Action::Wrote { path, .. } if *path == file.path)
        });
        let Some(Step { action: Action::Wrote { bytes, size, .. }, .. }) = known else {
            // Opened to write, and nothing was.
            if file.bytes.is_none_or(|bytes| bytes == 0) {
                return false;
            }
            let wrote = Action::Wrote { path: file.path.clone(), bytes: file.bytes, size: file.size };
            return self.add_step(time, process, wrote);
        };
        let before = (*bytes, *size);
        // Opened and written several times: all of it.
        *bytes = match (*bytes, file.bytes) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => more.or(before),
        };
        *size = file.size.or(*size);
        (*bytes, *size) != before
    }

    /// Files that a process wrote and whose sizes are not known: each with the name it has got since.
    pub fn unsized_files(&self, pid: u32) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = Vec::new();
        for step in &self.steps {
            match &step.action {
                Action::Wrote { path, bytes: None, size: None } if step.pid == pid => {
                    files.push((path.clone(), path.clone()));
                }
                Action::Renamed { from, to } => {
                    let renamed = files.iter_mut().filter(|(_, now)| now == from);
                    renamed.for_each(|(_, now)| now.clone_from(to));
                }
                Action::Executed { .. }
                | Action::Connected { .. }
                | Action::Transferred { .. }
                | Action::Failed { .. }
                | Action::Disconnected { .. }
                | Action::Opened { .. }
                | Action::Wrote { .. }
                | Action::Linked { .. }
                | Action::Deleted { .. }
                | Action::MadeExecutable { .. }
                | Action::Read { .. }
                | Action::Did { .. }
                | Action::Exited { .. } => {}
            }
        }
        files
    }

    /// False: it was only counted.
    fn push(&mut self, step: Step) -> bool {
        if self.steps.len() >= STEPS_MAX {
            self.steps_omitted = self.steps_omitted.saturating_add(1);
            return false;
        }
        // Renames and ends of connections may come late: keep the order in which things happened.
        let place = self.steps.partition_point(|known| known.offset <= step.offset);
        self.steps.insert(place, step);
        true
    }

    /// Splits off the matches: the leading one and the others.
    #[must_use]
    pub fn into_detections(self) -> Option<(Detection, Vec<Detection>)> {
        self.detection.map(|leading| (leading, self.related))
    }
}

/// Where a connection leads.
pub(super) fn place(connection: &Connection) -> Place {
    let Connection { protocol, address, port, hostname, .. } = connection;
    Place { protocol: *protocol, address: *address, port: *port, name: hostname.clone() }
}

/// Does a step say nothing new? An exit or an end never repeats.
fn is_repeat(known: &Action, new: &Action) -> bool {
    match (known, new) {
        (Action::Wrote { path, .. } | Action::Opened { path }, Action::Opened { path: other })
        | (Action::Wrote { path, .. }, Action::Wrote { path: other, .. }) => path == other,
        (Action::Connected { place, direction }, Action::Connected { place: other, direction: way }) => {
            place.is_same(other) && direction == way
        }
        (Action::Executed { .. }, Action::Executed { .. })
        | (Action::Renamed { .. }, Action::Renamed { .. })
        | (Action::Linked { .. }, Action::Linked { .. })
        | (Action::Deleted { .. }, Action::Deleted { .. })
        | (Action::MadeExecutable { .. }, Action::MadeExecutable { .. })
        | (Action::Read { .. }, Action::Read { .. })
        | (Action::Did { .. }, Action::Did { .. }) => known == new,
        (
            Action::Executed { .. }
            | Action::Connected { .. }
            | Action::Transferred { .. }
            | Action::Disconnected { .. }
            | Action::Failed { .. }
            | Action::Opened { .. }
            | Action::Wrote { .. }
            | Action::Renamed { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::MadeExecutable { .. }
            | Action::Read { .. }
            | Action::Did { .. }
            | Action::Exited { .. },
            _,
        ) => false,
    }
}
