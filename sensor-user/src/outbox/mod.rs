//! Messages on their way to receivers: on the disk before a sink sees them, until its receiver has them.
//!
//! # What is promised
//!
//! 1. A message that [`Outbox::deliver`] took is delivered to every sink at least once, always under the same id and in
//!    the order of the numbers; or its loss is counted under a reason, for each sink that lacks it.
//! 2. It is on the disk before a sink sees it. What gathers while the disk is at work is written together, so a message
//!    waits for two writes at most.
//! 3. The folder has a bound. When it is full, messages of the lowest [`Rank`] go first, of those the oldest.
//! 4. A disk that is full or refuses stops nothing: messages are in memory (within a bound, the lowest rank goes first)
//!    and go out; when the disk takes writes again they are written down.
//! 5. Damage costs the damaged records and no others. How many those are is known from the numbers.
//! 6. Nobody waits for anybody: not the agent for the disk, nor one sink for another.
//!
//! The way of a message: [`Outbox::deliver`] → `writer` (encodes, appends, waits for the disk, publishes) → [`Reader`]
//! of each sink → [`Reader::confirm`] → cursor. `index` knows where everything is and touches no file; `disk` is the
//! folder; `record` is the form of an entry; `recover` reads the folder at the start.
//!
//! Not here: how a message looks (`sink::encode`), and how it travels (`sink::syslog`).

mod envelope;
mod record;
mod slot;
mod shadow;
mod disk;
mod index;
mod lane;
mod recover;
mod shared;
mod writer;
mod reader;
mod crash;
mod life;
mod account;
mod error;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use rustc_hash::FxHashMap;
use tracing::warn;
use uuid::Uuid;

pub use account::{Fill, LaneAccount};
pub use envelope::{Envelope, Rank};
pub use error::OutboxError;
pub use life::{Earlier, Life};
pub use reader::Reader;
pub use shared::Kept;

use crate::alert::{Loss, Message};
use crate::sink::Origin;
use disk::Disk;
use index::Index;
use lane::Lane;
use recover::{Recovered, recover};
use shadow::Shadow;
use shared::Shared;
use writer::Writer;

/// Messages that wait for the thread that writes: what comes in the half second for which a busy disk may stall, at
/// 2,000 a second.
const QUEUE_MAX: usize = 1024;

/// Where messages are kept, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub directory: PathBuf,
    /// Bytes.
    pub bound: u64,
    /// Where it is written down how far all came while the disk refuses: no disk.
    pub runtime: PathBuf,
}

/// A folder that was looked through, for sinks whose names are known.
#[derive(Debug)]
pub struct Opened {
    sinks: Vec<String>,
    agent: Uuid,
    disk: Option<(Disk, Shadow)>,
    recovered: Recovered,
    life: Option<(Life, Option<Earlier>)>,
}

impl Opened {
    /// Opens the folder.
    ///
    /// # Errors
    /// Another agent has it, or it cannot be used.
    pub fn read(place: &Place, sinks: Vec<String>) -> Result<Self, OutboxError> {
        let directory = &place.directory;
        let failed =
            |source| OutboxError::Io { what: "cannot be used", directory: directory.clone(), source };
        let mut disk = Disk::open(directory, place.bound)?;
        let agent = disk.agent().map_err(failed)?;
        let mut shadow = Shadow::new(&place.runtime, agent, &sinks);
        let recovered = recover(&mut disk, &sinks, shadow.left()).map_err(failed)?;
        let life = Life::begin(directory).inspect_err(|error| {
            warn!(%error, "the next run will not know how this one ended");
        });
        Ok(Self { sinks, agent, disk: Some((disk, shadow)), recovered, life: life.ok() })
    }

    /// Does without a folder: messages are in memory, and numbers begin anew.
    #[must_use]
    pub fn in_memory(sinks: Vec<String>) -> Self {
        let lanes = sinks.iter().map(|_| Lane::new(0)).collect();
        let index = Index::new(lanes, 0);
        let recovered = Recovered { index, cursors: Vec::new(), missing: Vec::new() };
        Self { sinks, agent: Uuid::new_v4(), disk: None, recovered, life: None }
    }

    /// The agent's id, of which numbers count the messages.
    #[must_use]
    pub fn agent(&self) -> Uuid {
        self.agent
    }

    /// The mark of this run, and what it found of an earlier one; once, and none without a folder.
    pub fn take_life(&mut self) -> Option<(Life, Option<Earlier>)> {
        self.life.take()
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(self, origin: Arc<Origin>) -> std::io::Result<Outbox> {
        let Self { sinks, disk, recovered: Recovered { index, cursors, missing }, .. } = self;
        let (disk, shadow) = disk.unzip();
        let (queue, messages) = sync_channel(QUEUE_MAX);
        let (end, ended) = channel();
        let segments = disk.iter().flat_map(Disk::segments);
        let files: FxHashMap<_, _> = segments.map(|(id, segment)| (id, Arc::clone(&segment.file))).collect();
        let last = index.last;
        let shared = Arc::new(Shared::new(index, files, disk.as_ref().map(Disk::kept)));
        let writer = Writer {
            queue: messages,
            end: ended,
            shared: Arc::clone(&shared),
            origin,
            disk,
            shadow,
            cursors,
            gone: missing,
            next: last + 1,
            trouble: None,
        };
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(|| writer.run())?;
        let refused = AtomicU64::new(0);
        Ok(Outbox { sinks, last, shared, queue: Some(queue), end: Some(end), thread: Some(thread), refused })
    }
}

/// The agent's end.
#[derive(Debug)]
pub struct Outbox {
    sinks: Vec<String>,
    last: u64,
    shared: Arc<Shared>,
    /// None: closed.
    queue: Option<SyncSender<Arc<Message>>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Messages for which the queue had no room, since the last look.
    refused: AtomicU64,
}

impl Outbox {
    /// The messages as each sink gets them, in the order of those given to [`Opened::read`].
    pub fn readers(&self) -> impl Iterator<Item = Reader> {
        (0..self.sinks.len()).map(|sink| Reader::new(Arc::clone(&self.shared), sink))
    }

    /// The last number that was given before [`Opened::start`].
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Takes a message, without waiting.
    pub fn deliver(&self, message: &Arc<Message>) {
        let sent = self.queue.as_ref().map(|queue| queue.try_send(Arc::clone(message)));
        if matches!(sent, None | Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was lost since the last call.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let refused = self.refused.swap(0, Ordering::Relaxed);
        let mut state = self.shared.state();
        let mut losses = Vec::new();
        for (name, lane) in self.sinks.iter().zip(&mut state.index.lanes) {
            let rows = [
                (refused, "queue full"),
                (std::mem::take(&mut lane.evicted), "outbox full"),
                (std::mem::take(&mut lane.unreadable), "missing on the disk"),
                (
                    std::mem::take(&mut lane.doubtful),
                    "sent over a link that broke, not kept for want of room",
                ),
            ];
            let rows = rows.into_iter().filter(|(count, _)| *count > 0);
            losses.extend(rows.map(|(count, reason)| Loss {
                what: name.clone(),
                count,
                reason,
                ..Loss::default()
            }));
        }
        losses
    }

    /// Nothing more comes: sinks get what there is, then nothing.
    pub fn close(&mut self) {
        self.queue = None;
    }

    /// Ends the thread, once the sinks have ended: writes down how far they came. Returns what is lost with the memory.
    #[must_use]
    pub fn finish(mut self) -> Vec<Loss> {
        self.close();
        self.end = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            warn!("the thread that keeps messages has failed");
        }
        let mut losses = self.losses();
        let state = self.shared.state();
        for (lane, name) in self.sinks.iter().enumerate() {
            let count = state.index.unstored_of(lane);
            let reason = "unconfirmed when the agent ended";
            let loss = Loss { what: name.clone(), count, reason, ..Loss::default() };
            losses.extend((count > 0).then_some(loss));
        }
        losses
    }

    /// Messages that each sink's receiver does not have, as far as is known.
    pub fn backlogs(&self) -> impl Iterator<Item = u64> {
        (0..self.sinks.len()).map(|sink| self.shared.state().index.backlog(sink))
    }
}
