//! The steps of an account: what repeats is left out, what goes on is told anew, what is too much is counted.

use super::{Account, STEPS_MAX};
use crate::alert::{Action, Place, Step};
use crate::event::{Connection, FileChange, Flow, FlowState};
use crate::state::process::{Process, ProcessKey};
use crate::story::program;

impl Account {
    /// Adds a step unless the same process already did the same. True: it is news.
    pub fn add_step(&mut self, time: u64, process: &Process, action: Action) -> bool {
        if self.steps.iter().any(|step| step.pid == process.key.pid && is_repeat(&step.action, &action)) {
            return false;
        }
        let offset = self.offset(time);
        self.push(Step { offset, pid: process.key.pid, program: program(process), action })
    }

    /// Nanoseconds since the first step. What was before it, becomes the first.
    pub(super) fn offset(&mut self, time: u64) -> u64 {
        let earlier = self.time.saturating_sub(time);
        if earlier > 0 {
            self.steps.iter_mut().for_each(|step| step.offset = step.offset.saturating_add(earlier));
            self.time = time;
        }
        time.saturating_sub(self.time)
    }

    /// Has this process a connection among the steps?
    #[must_use]
    pub fn has_connection(&self, pid: u32) -> bool {
        self.steps.iter().any(|step| {
            step.pid == pid
                && matches!(
                    step.action,
                    Action::Connected { .. } | Action::Transferred { .. } | Action::Disconnected { .. }
                )
        })
    }

    /// Has this process any step?
    #[must_use]
    pub fn has_step(&self, pid: u32) -> bool {
        self.steps.iter().any(|step| step.pid == pid)
    }

    /// Did this process write a file?
    #[must_use]
    pub fn wrote(&self, pid: u32) -> bool {
        self.steps.iter().any(|step| step.pid == pid && matches!(step.action, Action::Wrote { .. }))
    }

    /// Is this a file among the steps?
    #[must_use]
    pub fn names(&self, file: &str) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Wrote { path, .. } | Action::MadeExecutable { path } => path == file,
            Action::Renamed { to, .. } => to == file,
            Action::Executed { .. }
            | Action::Connected { .. }
            | Action::Transferred { .. }
            | Action::Disconnected { .. }
            | Action::Failed { .. }
            | Action::Opened { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::Read { .. }
            | Action::Did { .. }
            | Action::Exited { .. } => false,
        })
    }

    /// Payload bytes that this process received, as far as the steps tell.
    #[must_use]
    pub fn received(&self, pid: u32) -> u64 {
        let of = |step: &Step| {
            let (Action::Transferred { bytes_received, .. } | Action::Disconnected { bytes_received, .. }) =
                step.action
            else {
                return 0;
            };
            if step.pid == pid { bytes_received } else { 0 }
        };
        self.steps.iter().map(of).fold(0, u64::saturating_add)
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
        let is_told = |step: &Step| {
            step.pid == process.key.pid
                && *state == FlowState::Closed
                && matches!(&step.action, Action::Disconnected { place: it, bytes_sent: sent, bytes_received: received }
                    if it.is_same(&place) && (*sent, *received) == (bytes_sent, bytes_received))
                && step.offset == time.saturating_sub(self.time)
        };
        if self.steps.iter().any(is_told) {
            return false;
        }
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
        let offset = self.offset(time);
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
    pub(super) fn push(&mut self, step: Step) -> bool {
        if self.steps.len() >= STEPS_MAX {
            self.steps_omitted = self.steps_omitted.saturating_add(1);
            return false;
        }
        // Renames and ends of connections may come late: keep the order in which things happened.
        let place = self.steps.partition_point(|known| known.offset <= step.offset);
        self.steps.insert(place, step);
        true
    }
}

/// Where a connection leads.
pub(in crate::story) fn place(connection: &Connection) -> Place {
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
        (
            known,
            Action::Executed { .. }
            | Action::Renamed { .. }
            | Action::Linked { .. }
            | Action::Deleted { .. }
            | Action::MadeExecutable { .. }
            | Action::Read { .. }
            | Action::Did { .. },
        ) => known == new,
        (
            _,
            Action::Connected { .. }
            | Action::Transferred { .. }
            | Action::Disconnected { .. }
            | Action::Failed { .. }
            | Action::Opened { .. }
            | Action::Wrote { .. }
            | Action::Exited { .. },
        ) => false,
    }
}
