//! What is kept, where, and how far each sink is: no file is touched here.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use super::envelope::{Envelope, Rank};
use super::lane::Lane;
use super::record::Range;

/// Bytes of texts kept in memory beside their records in files, so that a sink that keeps up reads no file.
const CACHE_MAX: usize = 4 << 20;

/// A message that some sink has still to deliver.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) rank: Rank,
    /// When it was given to the outbox; of an earlier run's when it says that it happened.
    pub(super) since: Timestamp,
    /// Bytes of its texts, and of its record where it has one.
    pub(super) size: usize,
    pub(super) place: Place,
    /// In memory.
    pub(super) body: Option<Arc<Envelope>>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory alone: the disk refuses it.
    Memory,
    /// Its record, in a segment of this number.
    Record { segment: u64, offset: u64, size: u32 },
}

/// Messages in the order of their numbers, and how far the sinks are.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: VecDeque<Entry>,
    pub(super) lanes: Vec<Lane>,
    /// The last number that was ever given.
    pub(super) last: u64,
    /// The last number that sinks may see: what comes after it is not on the disk yet.
    pub(super) published: u64,
    /// Whose arrival is asked for, see [`Lane::has_watched`]; 0: none.
    pub(super) watched: u64,
    /// Given since the start.
    pub(super) pushed: u64,
    /// Given up for want of room since the start, by whichever sinks lacked them.
    pub(super) evicted: u64,
    cached: usize,
    /// Bytes of messages that are in memory alone.
    unstored: usize,
    /// Entries of each segment.
    segments: FxHashMap<u64, u64>,
}

impl Index {
    /// Nothing is kept, and this was the last number.
    pub(super) fn new(lanes: Vec<Lane>, last: u64) -> Self {
        Self { lanes, last, published: last, ..Self::default() }
    }

    /// Adds the newest message.
    pub(super) fn push(&mut self, entry: Entry) {
        self.pushed += 1;
        self.last = self.last.max(entry.sequence);
        match entry.place {
            Place::Memory => self.unstored += entry.size,
            Place::Record { segment, .. } => *self.segments.entry(segment).or_default() += 1,
        }
        if entry.body.is_some() && entry.place != Place::Memory {
            self.cached += entry.size;
        }
        self.entries.push_back(entry);
        self.trim();
    }

    /// The first message after this number that sinks may see.
    pub(super) fn after(&self, sequence: u64) -> Option<&Entry> {
        let entry = self.entries.get(self.entries.partition_point(|entry| entry.sequence <= sequence));
        entry.filter(|entry| entry.sequence <= self.published)
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        let at = self.entries.partition_point(|entry| entry.sequence < sequence);
        self.entries.get_mut(at).filter(|entry| entry.sequence == sequence)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Bytes that are in memory alone.
    pub(super) fn unstored(&self) -> usize {
        self.unstored
    }

    /// Messages that a sink has not confirmed.
    pub(super) fn backlog(&self, lane: usize) -> u64 {
        let confirmed = self.lanes.get(lane).map_or(0, |lane| lane.confirmed);
        let upto = |number: u64| self.entries.partition_point(|entry| entry.sequence <= number);
        upto(self.published).saturating_sub(upto(confirmed)) as u64
    }

    /// Since when the oldest message waits that a sink has not confirmed.
    pub(super) fn oldest(&self, lane: usize) -> Option<Timestamp> {
        let confirmed = self.lanes.get(lane)?.confirmed;
        self.after(confirmed).map(|entry| entry.since)
    }

    /// Asks for the arrival of a message that is to come.
    pub(super) fn watch(&mut self, sequence: u64) {
        self.watched = sequence;
        self.lanes.iter_mut().for_each(|lane| lane.has_watched = false);
    }

    /// Messages in memory alone that a sink has not confirmed.
    pub(super) fn unstored_of(&self, lane: usize) -> u64 {
        let confirmed = self.lanes.get(lane).map_or(0, |lane| lane.confirmed);
        let is_at_risk = |entry: &&Entry| entry.place == Place::Memory && entry.sequence > confirmed;
        self.entries.iter().filter(is_at_risk).count() as u64
    }

    /// A message has a record now.
    pub(super) fn stored(&mut self, sequence: u64, place: Place) {
        let Some(entry) = self.get_mut(sequence) else { return };
        let (old, size) = (std::mem::replace(&mut entry.place, place), entry.size);
        if old == Place::Memory {
            self.unstored = self.unstored.saturating_sub(size);
            self.cached += size;
        }
        if let Place::Record { segment, .. } = old {
            self.leave(segment);
        }
        if let Place::Record { segment, .. } = place {
            *self.segments.entry(segment).or_default() += 1;
        }
        self.trim();
    }

    /// Forgets what every sink has.
    pub(super) fn settle(&mut self) {
        let Some(confirmed) = self.lanes.iter().map(|lane| lane.confirmed).min() else { return };
        while self.entries.front().is_some_and(|entry| entry.sequence <= confirmed) {
            if let Some(entry) = self.entries.pop_front() {
                self.forget(&entry);
            }
        }
    }

    /// No message needs this segment.
    pub(super) fn is_spent(&self, segment: u64) -> bool {
        !self.segments.contains_key(&segment)
    }

    /// Counts the oldest messages that every sink sent a while ago as confirmed, until `enough` bytes of those that
    /// `may_go` are gone. Returns the bytes.
    pub(super) fn presume(&mut self, enough: usize, may_go: impl Fn(&Entry) -> bool) -> usize {
        let sent = self.lanes.iter().map(|lane| lane.sent.max(lane.confirmed)).min().unwrap_or(0);
        let mut bytes = 0;
        let mut last = None;
        for entry in self.entries.iter().take_while(|entry| entry.sequence <= sent) {
            if bytes >= enough {
                break;
            }
            bytes += if may_go(entry) { entry.size } else { 0 };
            last = Some(entry.sequence);
        }
        if let Some(last) = last.filter(|_| bytes > 0) {
            self.lanes.iter_mut().for_each(|lane| lane.presume(last));
            self.settle();
        }
        bytes
    }

    /// Gives up messages of the lowest rank there is, the oldest first, until `enough` bytes of those that
    /// `may_go` are gone; what a sink is at work on stays. Each sink that had not delivered one counts it.
    pub(super) fn evict(&mut self, enough: usize, may_go: impl Fn(&Entry) -> bool) -> Vec<(u64, Place)> {
        let mut gone = Vec::new();
        let mut bytes = 0;
        for rank in Rank::ALL {
            for at in 0..self.entries.len() {
                if bytes >= enough {
                    break;
                }
                let Some(entry) = self.entries.get(at) else { break };
                if entry.rank == rank && may_go(entry) && self.is_idle(entry.sequence) {
                    bytes += entry.size;
                    gone.push((entry.sequence, entry.place));
                }
            }
        }
        self.evicted += gone.len() as u64;
        gone.sort_unstable_by_key(|(sequence, _)| *sequence);
        let is_gone = |sequence: u64| gone.binary_search_by_key(&sequence, |(gone, _)| *gone).is_ok();
        for lane in &mut self.lanes {
            let before = gone.partition_point(|(sequence, _)| *sequence <= lane.confirmed);
            lane.evicted += (gone.len() - before) as u64;
        }
        let (out, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| is_gone(entry.sequence));
        self.entries = kept;
        out.iter().for_each(|entry| self.forget(entry));
        gone
    }

    /// These numbers can not be read: counted for each sink that had not delivered them, and not looked for again.
    pub(super) fn miss(&mut self, range: Range) {
        for lane in &mut self.lanes {
            let first = range.first.max(lane.confirmed + 1);
            if first <= range.last {
                lane.unreadable += Range { first, ..range }.count();
            }
        }
    }

    /// A message whose record turned out to be damaged.
    pub(super) fn remove(&mut self, sequence: u64) {
        let at = self.entries.partition_point(|entry| entry.sequence < sequence);
        if self.entries.get(at).is_some_and(|entry| entry.sequence == sequence)
            && let Some(entry) = self.entries.remove(at)
        {
            self.forget(&entry);
            self.miss(Range { first: sequence, last: sequence });
        }
    }

    /// No sink has it in hand and unconfirmed.
    fn is_idle(&self, sequence: u64) -> bool {
        self.lanes.iter().all(|lane| sequence <= lane.confirmed || lane.handed < sequence)
    }

    fn forget(&mut self, entry: &Entry) {
        match entry.place {
            Place::Memory => self.unstored = self.unstored.saturating_sub(entry.size),
            Place::Record { segment, .. } => {
                self.leave(segment);
                if entry.body.is_some() {
                    self.cached = self.cached.saturating_sub(entry.size);
                }
            }
        }
    }

    fn leave(&mut self, segment: u64) {
        if let Some(count) = self.segments.get_mut(&segment) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.segments.remove(&segment);
            }
        }
    }

    /// Lets go of the oldest texts that are in files too.
    fn trim(&mut self) {
        if self.cached <= CACHE_MAX {
            return;
        }
        for entry in &mut self.entries {
            if self.cached <= CACHE_MAX / 2 {
                return;
            }
            if entry.place != Place::Memory && entry.body.take().is_some() {
                self.cached = self.cached.saturating_sub(entry.size);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::sample;

    const SIZE: usize = 100;

    fn index(lanes: &[u64], ranks: &[Rank]) -> Index {
        let lanes = lanes.iter().map(|confirmed| Lane::new(*confirmed)).collect();
        let mut index = Index::new(lanes, 0);
        for (sequence, rank) in (1..).zip(ranks) {
            let place = Place::Record { segment: sequence / 3, offset: 0, size: 1 };
            let body = Some(Arc::new(sample::envelope(sequence)));
            let since = Timestamp::UNIX_EPOCH;
            index.push(Entry { sequence, rank: *rank, since, size: SIZE, place, body });
            index.published = sequence;
        }
        index
    }

    fn left(index: &Index) -> Vec<u64> {
        index.entries().map(|entry| entry.sequence).collect()
    }

    const MIXED: [Rank; 6] =
        [Rank::Low, Rank::Critical, Rank::Report, Rank::Low, Rank::Critical, Rank::Report];

    #[test]
    fn the_lowest_rank_goes_first_and_of_it_the_oldest() {
        let mut index = index(&[0], &MIXED);
        let gone: Vec<_> = index.evict(3 * SIZE, |_| true).into_iter().map(|(gone, _)| gone).collect();
        assert_eq!(gone, [1, 3, 6]);
        assert_eq!(left(&index), [2, 4, 5]);
        assert_eq!(index.lanes[0].evicted, 3);
    }

    #[test]
    fn only_a_sink_that_has_not_delivered_counts_what_is_given_up() {
        let mut index = index(&[3, 0], &MIXED);
        index.evict(3 * SIZE, |_| true);
        assert_eq!((index.lanes[0].evicted, index.lanes[1].evicted), (1, 3));
    }

    #[test]
    fn what_a_sink_is_at_work_on_stays() {
        let mut index = index(&[0], &MIXED);
        index.lanes[0].handed = 3;
        index.evict(6 * SIZE, |_| true);
        assert_eq!(left(&index), [1, 2, 3]);
    }

    #[test]
    fn what_was_sent_makes_room_and_is_counted_only_if_the_link_breaks_then() {
        let mut index = index(&[0], &MIXED);
        (index.lanes[0].handed, index.lanes[0].sent) = (6, 4);
        assert_eq!(index.presume(2 * SIZE, |_| true), 2 * SIZE);
        assert_eq!(left(&index), [3, 4, 5, 6]);
        index.lanes[0].confirm(1);
        assert_eq!(index.presume(9 * SIZE, |_| true), 2 * SIZE, "what was not sent stays");
        index.lanes[0].confirm(2);
        index.lanes[0].rewind();
        assert_eq!((index.lanes[0].doubtful, index.lanes[0].handed), (2, 4));
        index.lanes[0].rewind();
        assert_eq!(index.lanes[0].doubtful, 2, "counted once");
    }

    #[test]
    fn what_all_have_is_forgotten_and_its_segment_spent() {
        let mut index = index(&[4, 2], &MIXED);
        index.settle();
        assert_eq!(left(&index), [3, 4, 5, 6]);
        assert!(index.is_spent(0) && !index.is_spent(1));
        assert_eq!((index.backlog(0), index.backlog(1)), (2, 4));
    }

    #[test]
    fn no_sink_sees_what_is_not_on_the_disk_yet() {
        let mut index = index(&[0], &MIXED);
        index.published = 2;
        assert_eq!(index.after(1).map(|entry| entry.sequence), Some(2));
        assert!(index.after(2).is_none());
        assert_eq!(index.backlog(0), 2);
    }

    #[test]
    fn texts_in_memory_stay_within_their_bound() {
        let mut index = Index::new(vec![Lane::new(0)], 0);
        let body = Some(Arc::new(sample::envelope(1)));
        let size = CACHE_MAX / 10;
        for sequence in 1..=20 {
            let place = Place::Record { segment: 0, offset: 0, size: 1 };
            let (rank, since) = (Rank::Low, Timestamp::UNIX_EPOCH);
            index.push(Entry { sequence, rank, since, size, place, body: body.clone() });
        }
        let in_memory = index.entries().filter(|entry| entry.body.is_some()).count();
        assert!((1..=10).contains(&in_memory), "{in_memory}");
        assert!(index.entries().last().unwrap().body.is_some(), "the newest are read next");
    }

    #[test]
    fn what_cannot_be_read_is_counted_for_those_who_lack_it() {
        let mut index = index(&[4, 0], &[]);
        index.miss(Range { first: 3, last: 6 });
        assert_eq!((index.lanes[0].unreadable, index.lanes[1].unreadable), (2, 4));
    }
}
