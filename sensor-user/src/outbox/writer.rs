//! The thread that encodes messages, keeps them, and only then shows them to the sinks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::crash::point;
use super::disk::{Disk, Live};
use super::envelope::Envelope;
use super::index::{Entry, Place};
use super::record::Range;
use super::shadow::Shadow;
use super::shared::{Kept, Shared, State};
use super::slot::Slots;
use crate::alert::Message;
use crate::sink::Origin;
use crate::sink::encode::encode;

/// Most bytes that are written together, at most a segment's. While the disk is at work on some, the next gather.
const BATCH_BYTES: u64 = 256 << 10;
/// How often cursors are written down and spent segments taken away, where nothing happens.
const TIDY: Duration = Duration::from_millis(100);
/// How often a disk that refused is tried again: it is to be in use within ten seconds of its repair.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of messages in memory alone, which a disk that refuses must not let grow: some 3,000 alerts.
pub(super) const UNSTORED_MAX: usize = 16 << 20;

/// The thread's state.
pub(super) struct Writer {
    pub(super) queue: Receiver<Arc<Message>>,
    /// Closed when the sinks have ended.
    pub(super) end: Receiver<()>,
    pub(super) shared: Arc<Shared>,
    pub(super) origin: Arc<Origin>,
    /// None: messages are in memory alone.
    pub(super) disk: Option<Disk>,
    /// There with the disk.
    pub(super) shadow: Option<Shadow>,
    /// Of each sink, with the number in it.
    pub(super) cursors: Vec<(Slots, Option<u64>)>,
    /// Numbers whose loss is told and still to be written down.
    pub(super) gone: Vec<Range>,
    /// The number that is expected next.
    pub(super) next: u64,
    pub(super) trouble: Option<Trouble>,
}

/// The disk refuses.
pub(super) struct Trouble {
    since: Instant,
    retry: Instant,
    reason: String,
}

impl Writer {
    /// Until the agent's end is closed, then until the sinks are.
    pub(super) fn run(mut self) {
        loop {
            match self.queue.recv_timeout(TIDY) {
                Ok(first) => {
                    let batch = self.gather(&first);
                    self.take(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tidy();
        }
        self.shared.state().is_closed = true;
        self.shared.publish();
        while let Err(RecvTimeoutError::Timeout) = self.end.recv_timeout(TIDY) {
            self.tidy();
        }
        self.tidy();
    }

    /// What waits, as much as is written together.
    fn gather(&self, first: &Message) -> Vec<Arc<Envelope>> {
        let most = self.disk.as_ref().map_or(BATCH_BYTES, |disk| disk.portion().min(BATCH_BYTES));
        let mut batch = vec![Arc::new(encode(first, &self.origin))];
        let mut size = batch.first().map_or(0, |envelope| record_size(envelope));
        while size < most
            && let Ok(message) = self.queue.try_recv()
        {
            let envelope = encode(&message, &self.origin);
            size += record_size(&envelope);
            batch.push(Arc::new(envelope));
        }
        batch
    }

    /// Keeps messages, then lets the sinks see them.
    fn take(&mut self, batch: Vec<Arc<Envelope>>) {
        let mut state = self.shared.state();
        for envelope in batch {
            let sequence = envelope.sequence;
            if sequence > self.next {
                // The agent had no room for it in the queue, and counted that.
                self.gone.push(Range { first: self.next, last: sequence - 1 });
            }
            self.next = sequence + 1;
            let (rank, size, since) = (envelope.rank, envelope.size(), Timestamp::now());
            let place = Place::Memory;
            state.index.push(Entry { sequence, rank, since, size, place, body: Some(envelope) });
        }
        drop(state);
        if self.is_due() {
            self.store();
        }
        self.shadow_out();
        let mut state = self.shared.state();
        self.gone.extend(bound_memory(&mut state));
        state.index.published = state.index.last;
        drop(state);
        self.shared.publish();
        point("published");
    }

    /// Where the disk refuses: what the next run must know, before sinks see more.
    fn shadow_out(&mut self) {
        let (Some(shadow), Some(_)) = (&mut self.shadow, &self.trouble) else { return };
        let state = self.shared.state();
        let confirmed: Vec<u64> = state.index.lanes.iter().map(|lane| lane.confirmed).collect();
        let last = state.index.last;
        drop(state);
        if let Err(error) = shadow.write(last, &confirmed) {
            debug!(%error, "how far numbers are is not written down");
        }
    }

    /// Puts what is in memory alone on the disk, as far as that takes it.
    fn store(&mut self) {
        while self.disk.is_some() {
            let (_, size) = self.unstored();
            if size == 0 {
                return;
            }
            self.make_room(size);
            // Of what comes some may have been worth least.
            let (batch, _) = self.unstored();
            if batch.is_empty() || !self.append(&batch) {
                return;
            }
        }
    }

    /// The oldest that is in memory alone, as much as is written together, and its bytes.
    fn unstored(&self) -> (Vec<Arc<Envelope>>, u64) {
        let state = self.shared.state();
        if state.index.unstored() == 0 {
            return (Vec::new(), 0);
        }
        let most = self.disk.as_ref().map_or(BATCH_BYTES, |disk| disk.portion().min(BATCH_BYTES));
        let mut size = 0;
        let unstored = state.index.entries().filter(|entry| entry.place == Place::Memory);
        let batch = unstored.filter_map(|entry| entry.body.clone()).take_while(|envelope| {
            let is_first = size == 0;
            size += record_size(envelope);
            is_first || size <= most
        });
        let batch: Vec<_> = batch.collect();
        let size = batch.iter().map(|envelope| record_size(envelope)).sum();
        (batch, size)
    }

    /// False: the disk refuses.
    fn append(&mut self, envelopes: &[Arc<Envelope>]) -> bool {
        let Some(disk) = &mut self.disk else { return false };
        match disk.append(&self.gone, envelopes) {
            Ok(places) => {
                self.gone.clear();
                let mut state = self.shared.state();
                state.learn(disk);
                places.into_iter().for_each(|(sequence, place)| state.index.stored(sequence, place));
                let has_all = state.index.unstored() == 0;
                drop(state);
                if has_all {
                    self.shadow.iter_mut().for_each(Shadow::clear);
                }
                if let Some(Trouble { since, reason, .. }) = self.trouble.take() {
                    let seconds = since.elapsed().as_secs();
                    info!(seconds, was = reason, "messages are kept on the disk again");
                }
                true
            }
            Err(error) => {
                let now = Instant::now();
                let trouble = self.trouble.get_or_insert_with(|| {
                    warn!(%error, "messages cannot be kept on the disk: they are in memory until it takes them");
                    Trouble { since: now, retry: now, reason: String::new() }
                });
                trouble.retry = now + RETRY;
                trouble.reason = error.to_string();
                false
            }
        }
    }

    /// The disk takes messages, as far as is known, or it is time to try again.
    fn is_due(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| Instant::now() >= trouble.retry)
    }

    /// Gives up what is worth least where the folder is full, of what is in it and of what is to come.
    fn make_room(&mut self, more: u64) {
        let Some(disk) = &self.disk else { return };
        let excess = disk.excess(more);
        if excess == 0 {
            return;
        }
        let enough = usize::try_from(excess.max(2 * disk.portion())).unwrap_or(usize::MAX);
        let sent = self.shared.state().index.presume(enough, |entry| entry.place != Place::Memory);
        if sent > 0 {
            self.remove_spent();
        }
        let Some(excess) = self.disk.as_ref().map(|disk| disk.excess(more)).filter(|excess| *excess > 0)
        else {
            return;
        };
        let enough = enough.saturating_sub(sent).max(usize::try_from(excess).unwrap_or(usize::MAX));
        let gone = self.shared.state().index.evict(enough, |_| true);
        let mut touched: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (sequence, place) in gone {
            match place {
                Place::Record { segment, .. } => touched.entry(segment).or_default().push(sequence),
                Place::Memory => self.gone.push(Range { first: sequence, last: sequence }),
            }
        }
        for (id, numbers) in touched {
            self.rewrite(id, ranges(numbers.into_iter()));
        }
    }

    /// Writes a segment anew without the messages of these numbers.
    fn rewrite(&mut self, id: u64, gone: Vec<Range>) {
        let Some(disk) = &mut self.disk else { return };
        let live = live(&self.shared.state(), id);
        match disk.rewrite(id, &live, &gone) {
            Ok(places) => {
                let mut state = self.shared.state();
                places.into_iter().for_each(|(sequence, place)| state.index.stored(sequence, place));
                state.learn(disk);
            }
            Err(error) => {
                warn!(%error, "a segment could not be written anew");
                self.gone.extend(gone);
            }
        }
    }

    /// What is due: cursors, segments that nobody needs, a disk that refused.
    fn tidy(&mut self) {
        if self.disk.is_none() {
            self.shared.state().index.settle();
            return;
        };
        let mut state = self.shared.state();
        state.index.settle();
        let confirmed: Vec<u64> = state.index.lanes.iter().map(|lane| lane.confirmed).collect();
        drop(state);
        for ((slots, written), confirmed) in self.cursors.iter_mut().zip(confirmed) {
            // Where it cannot be written, an older one is there, and some messages are sent twice.
            if *written != Some(confirmed) && slots.write(confirmed).is_ok() {
                *written = Some(confirmed);
            }
        }
        self.remove_spent();
        if self.is_due() {
            self.store();
        }
        self.shadow_out();
        let is_refused = self.trouble.is_some();
        let kept = self.disk.as_ref().map(|disk| Kept { is_refused, ..disk.kept() });
        self.shared.state().kept = kept;
    }

    /// Takes away segments that nobody needs.
    fn remove_spent(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let state = self.shared.state();
        let confirmed = state.index.lanes.iter().map(|lane| lane.confirmed).min().unwrap_or(0);
        let is_spent = |id: &u64| state.index.is_spent(*id);
        let spent: Vec<u64> = disk.segments().map(|(id, _)| id).filter(is_spent).collect();
        drop(state);
        for id in spent {
            if disk.is_told(id, confirmed) && disk.remove(id) {
                self.shared.state().files.remove(&id);
            }
        }
    }
}

/// Gives up messages that are in memory alone where they are too many.
fn bound_memory(state: &mut State) -> Vec<Range> {
    let excess = state.index.unstored().saturating_sub(UNSTORED_MAX);
    if excess == 0 {
        return Vec::new();
    }
    // An eighth more, so that not every message walks through all.
    let enough = excess + UNSTORED_MAX / 8;
    let is_unstored = |entry: &Entry| entry.place == Place::Memory;
    let sent = state.index.presume(enough, is_unstored);
    if sent >= excess {
        return Vec::new();
    }
    let gone = state.index.evict(enough - sent, is_unstored);
    ranges(gone.into_iter().map(|(sequence, _)| sequence))
}

fn live(state: &State, id: u64) -> Vec<Live> {
    let live = state.index.entries().filter_map(|entry| match entry.place {
        Place::Record { segment, offset, size } if segment == id => Some((entry.sequence, offset, size)),
        Place::Record { .. } | Place::Memory => None,
    });
    live.collect()
}

/// As few ranges as the numbers, which ascend, make.
fn ranges(numbers: impl Iterator<Item = u64>) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == number => range.last = number,
            _ => ranges.push(Range { first: number, last: number }),
        }
    }
    ranges
}

/// Bytes that a message takes on the disk, a few more at most.
fn record_size(envelope: &Envelope) -> u64 {
    const FIXED: usize = 64;
    (envelope.size() + FIXED) as u64
}
