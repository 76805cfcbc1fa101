//! The sinks' end: messages in order, from memory where they are there, else from the disk.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::disk;
use super::envelope::Envelope;
use super::index::Place;
use super::shared::{Shared, State};

/// Messages taken at one look.
const BATCH_MAX: usize = 64;

/// One sink's way through the messages.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    lane: usize,
    news: watch::Receiver<()>,
    ready: VecDeque<Arc<Envelope>>,
    /// Numbers that the sink has and did not confirm.
    handed: VecDeque<u64>,
    /// A batch that is being read from the disk.
    fetch: Option<JoinHandle<Vec<Read>>>,
}

/// A record to be read.
struct Wanted {
    sequence: u64,
    file: Arc<File>,
    offset: u64,
    size: u32,
}

/// What was read of it; none: it is damaged.
type Read = (u64, Option<Arc<Envelope>>);

enum Look {
    Taken,
    Read(Vec<Wanted>),
    Nothing { is_closed: bool },
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, lane: usize) -> Self {
        let news = shared.news();
        Self { shared, lane, news, ready: VecDeque::new(), handed: VecDeque::new(), fetch: None }
    }

    /// The next message; none when the last was given and nothing will come. Safe to cancel.
    pub async fn next(&mut self) -> Option<Arc<Envelope>> {
        loop {
            if let Some(envelope) = self.ready.pop_front() {
                self.handed.push_back(envelope.sequence);
                return Some(envelope);
            }
            if let Some(fetch) = &mut self.fetch {
                let read = fetch.await;
                self.fetch = None;
                match read {
                    Ok(read) => self.take(read),
                    Err(error) => {
                        warn!(%error, "messages could not be read from the disk; tried again");
                        self.rewind();
                    }
                }
                continue;
            }
            self.news.mark_unchanged();
            match self.look() {
                Look::Taken => {}
                Look::Read(wanted) => self.fetch = Some(tokio::task::spawn_blocking(move || read(&wanted))),
                Look::Nothing { is_closed: true } => return None,
                Look::Nothing { is_closed: false } => self.news.changed().await.ok()?,
            }
        }
    }

    /// There is a next message at once.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The receiver has the oldest `count` messages that were given.
    pub fn confirm(&mut self, count: usize) {
        let count = count.min(self.handed.len());
        let Some(last) = count.checked_sub(1).and_then(|last| self.handed.get(last)).copied() else { return };
        let mut state = self.shared.state();
        let watched = state.index.watched;
        if let Some(lane) = state.index.lanes.get_mut(self.lane) {
            lane.confirm(last);
            lane.delivered += count as u64;
            lane.confirmed_at = Some(Timestamp::now());
            lane.has_watched |= self.handed.iter().take(count).any(|sequence| *sequence == watched);
        }
        self.handed.drain(..count);
    }

    /// The oldest `count` messages were sent a while ago, and nothing has gone wrong since: they may make room for others.
    pub fn sent(&mut self, count: usize) {
        if let Some(last) = count.checked_sub(1).and_then(|last| self.handed.get(last)) {
            let mut state = self.shared.state();
            if let Some(lane) = state.index.lanes.get_mut(self.lane) {
                lane.sent = lane.sent.max(*last);
            }
        }
    }

    /// Gives everything that was not confirmed once more, in the same order.
    pub fn rewind(&mut self) {
        self.ready.clear();
        self.handed.clear();
        self.fetch = None;
        let mut state = self.shared.state();
        if let Some(lane) = state.index.lanes.get_mut(self.lane) {
            lane.rewind();
        }
    }

    /// Messages that the receiver does not have, as far as is known.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.shared.state().index.backlog(self.lane)
    }

    /// The receiver has everything, and nothing more will come.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let state = self.shared.state();
        state.is_closed && state.index.backlog(self.lane) == 0
    }

    fn look(&mut self) -> Look {
        let mut guard = self.shared.state();
        let State { index, files, is_closed, kept: _ } = &mut *guard;
        let Some(mut handed) = index.lanes.get(self.lane).map(|lane| lane.handed) else {
            return Look::Nothing { is_closed: true };
        };
        let mut wanted = Vec::new();
        while self.ready.len() + wanted.len() < BATCH_MAX
            && let Some(entry) = index.after(handed)
        {
            match (&entry.body, entry.place) {
                (Some(body), _) if wanted.is_empty() => self.ready.push_back(Arc::clone(body)),
                (None, Place::Record { segment, offset, size }) if self.ready.is_empty() => {
                    let Some(file) = files.get(&segment).map(Arc::clone) else { break };
                    wanted.push(Wanted { sequence: entry.sequence, file, offset, size });
                }
                (Some(_) | None, _) => break,
            }
            handed = entry.sequence;
        }
        if let Some(lane) = index.lanes.get_mut(self.lane) {
            lane.handed = handed;
        }
        match (self.ready.is_empty(), wanted.is_empty()) {
            (false, _) => Look::Taken,
            (true, false) => Look::Read(wanted),
            (true, true) => Look::Nothing { is_closed: *is_closed },
        }
    }

    fn take(&mut self, read: Vec<Read>) {
        for (sequence, envelope) in read {
            match envelope {
                Some(envelope) => self.ready.push_back(envelope),
                None => self.shared.state().index.remove(sequence),
            }
        }
    }
}

fn read(wanted: &[Wanted]) -> Vec<Read> {
    let envelope = |wanted: &Wanted| {
        disk::read(&wanted.file, wanted.offset, wanted.size).unwrap_or_else(|error| {
            warn!(%error, sequence = wanted.sequence, "a kept message cannot be read");
            None
        })
    };
    let is_same = |sequence: u64| move |envelope: &Envelope| envelope.sequence == sequence;
    wanted
        .iter()
        .map(|wanted| (wanted.sequence, envelope(wanted).filter(is_same(wanted.sequence)).map(Arc::new)))
        .collect()
}
