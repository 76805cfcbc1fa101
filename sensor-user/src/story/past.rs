//! What happened before a story began, so that its alert can begin at the beginning.
//!
//! A tool is fetched, made executable and run; only the last is a match. What processes did lately that stories
//! are made of is kept for a while, by container, and forgotten unseen most of the time.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::scope::Scope;
use crate::event::{Body, Direction, Event, FileAction};
use crate::state::process::{Process, ProcessKey};

/// How far back a story reaches, nanoseconds: ten minutes, in which somebody at a keyboard takes the next step.
const HORIZON: u64 = 600_000_000_000;
/// Most events kept of one container, and of the host: a chain has a dozen. Beyond it the oldest goes, so that what
/// a busy container did long ago is missing from its story.
const EVENTS_MAX: usize = 64;
/// Most events kept at all. Each holds a process alive, 2 to 4 KiB: some 4 MiB together. Beyond it those of the container
/// that did nothing for longest go.
const ALL_EVENTS_MAX: usize = 1024;

/// An event without its ancestors, and whose script it was.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) group: ProcessKey,
    pub(super) event: Event,
}

/// The events of one container, oldest first.
#[derive(Debug, Default)]
struct Ring {
    memories: VecDeque<Memory>,
    last: u64,
}

#[derive(Debug, Default)]
pub(super) struct Past {
    /// None: the host.
    rings: FxHashMap<Option<Arc<str>>, Ring>,
    /// In all of them.
    count: usize,
}

impl Past {
    /// Keeps an event that a story may want later.
    pub(super) fn note(&mut self, event: &Event, scope: Scope) {
        if !is_notable(event) {
            return;
        }
        if self.count >= ALL_EVENTS_MAX {
            self.make_room();
        }
        let ring = self.rings.entry(event.process.container.clone()).or_default();
        let before = ring.memories.len();
        ring.last = event.time;
        // Of connections and writes the first says when it began; of flows and closes the last says how much.
        if ring.memories.iter().any(|known| repeats(event, &known.event)) {
            return;
        }
        ring.memories.retain(|known| !replaces(event, &known.event));
        if ring.memories.len() >= EVENTS_MAX {
            ring.memories.pop_front();
        }
        let event = Event { ancestors: Vec::new(), ..event.clone() };
        ring.memories.push_back(Memory { group: scope.group, event });
        self.count = self.count.saturating_sub(before).saturating_add(ring.memories.len());
    }

    /// Events kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        debug_assert_eq!(self.count, self.rings.values().map(|ring| ring.memories.len()).sum::<usize>());
        self.count
    }

    /// A container is gone: nothing begins there any more.
    pub(super) fn forget(&mut self, container: &Arc<str>) {
        if let Some(ring) = self.rings.remove(&Some(Arc::clone(container))) {
            self.count = self.count.saturating_sub(ring.memories.len());
        }
    }

    /// What a story that begins with this process should know: what its script did, and what whoever wrote its
    /// program did. Oldest first; it is not kept any longer.
    pub(super) fn recall(&mut self, process: &Process, scope: Scope, time: u64) -> Vec<Memory> {
        let Some(ring) = self.rings.get_mut(&process.container) else { return Vec::new() };
        let horizon = time.saturating_sub(HORIZON);
        let mut keys: Vec<ProcessKey> = vec![process.key];
        keys.extend(process.executable.written.as_ref().map(|written| written.by));
        // Whoever wrote what wrote it: a download that was unpacked.
        let mut known = 0;
        while known < keys.len() {
            known = keys.len();
            for memory in &ring.memories {
                let Memory { event, .. } = memory;
                if keys.contains(&event.process.key)
                    && let Some(written) = &event.process.executable.written
                    && !keys.contains(&written.by)
                {
                    keys.push(written.by);
                }
            }
        }
        let is_of = |memory: &Memory| {
            (horizon..=time).contains(&memory.event.time)
                && (memory.group == scope.group || keys.contains(&memory.event.process.key))
        };
        let (recalled, rest): (VecDeque<Memory>, VecDeque<Memory>) = ring.memories.drain(..).partition(is_of);
        ring.memories = rest;
        self.count = self.count.saturating_sub(recalled.len());
        Vec::from(recalled)
    }

    fn make_room(&mut self) {
        let oldest = self.rings.iter().min_by_key(|(_, ring)| ring.last).map(|(id, _)| id.clone());
        if let Some(ring) = oldest.and_then(|oldest| self.rings.remove(&oldest)) {
            self.count = self.count.saturating_sub(ring.memories.len());
        }
    }
}

/// Is this something that a story about others should have?
pub(super) fn is_notable(event: &Event) -> bool {
    match &event.body {
        Body::ProcessCreation => is_foreign(&event.process),
        Body::NetworkConnection(connection) => is_outward(connection.direction, connection.port),
        Body::NetworkFlow(flow) => is_outward(flow.connection.direction, flow.connection.port),
        Body::FileEvent(file) => match file.action {
            FileAction::Write
            | FileAction::Close
            | FileAction::Rename
            | FileAction::Mode
            | FileAction::Read => true,
            FileAction::Open | FileAction::Link | FileAction::Delete => false,
        },
        Body::ProcessAccess(_)
        | Body::NetworkSocket(_)
        | Body::DnsQuery(_)
        | Body::SystemChange(_)
        | Body::ContainerEvent(_)
        | Body::ContainerResource(_) => false,
    }
}

/// Runs what did not come with the image, or what is in no file.
fn is_foreign(process: &Process) -> bool {
    let executable = &process.executable;
    executable.written.is_some() || executable.upper_layer || executable.memfd || executable.deleted
}

fn is_outward(direction: Direction, port: u16) -> bool {
    const DNS: u16 = 53;
    direction == Direction::Outbound && !matches!(port, 0 | DNS)
}

/// Says the later event all that the earlier one did?
fn replaces(new: &Event, known: &Event) -> bool {
    if new.process.key != known.process.key {
        return false;
    }
    let (new, known) = (&new.body, &known.body);
    if let (Some(new), Some(known)) = (new.flow(), known.flow()) {
        return new.connection.socket == known.connection.socket;
    }
    matches!((new.file(), known.file()), (Some(new), Some(known))
        if new.action == known.action && new.path == known.path)
}

/// Says the later event nothing that the earlier one did not?
fn repeats(new: &Event, known: &Event) -> bool {
    if new.process.key != known.process.key {
        return false;
    }
    if let (Body::NetworkConnection(to), Body::NetworkConnection(of)) = (&new.body, &known.body) {
        return (to.address, to.port) == (of.address, of.port);
    }
    matches!((new.body.file(), known.body.file()), (Some(new), Some(known))
        if (new.action, known.action) == (FileAction::Write, FileAction::Write) && new.path == known.path)
}
