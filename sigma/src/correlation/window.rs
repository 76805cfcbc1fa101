//! The matches of one group in order of time, and the window that slides over them.
//!
//! A window is inclusive at both ends: two matches exactly a timespan apart belong together.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Kind;
use super::limit::{GROUP_ENTRIES_MAX, WINDOW_PARTS};
use super::measure::{Entry, Measure, Tally};
use super::network::Plan;

/// A window that fulfilled its condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reached {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) value: f64,
    pub(super) matches: u64,
}

/// Matches by time, and a part of them (`start..end`) with its tally.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    start: usize,
    end: usize,
    tally: Tally,
    /// There was no room any more, in a window that is only decided in the end.
    full: bool,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn newest(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.time)
    }

    /// When the window ends that the oldest match opened.
    pub(super) fn over(&self, plan: &Plan) -> Option<u64> {
        self.entries.front().map(|entry| entry.time.saturating_add(plan.timespan))
    }

    /// Puts a match in its place, behind those of the same time. `None`: it is there already. Two rules that
    /// match in the same nanosecond match one event, which is counted once; where rules are counted, the same
    /// rule does, and is told again because another one waited for a value.
    pub(super) fn insert(&mut self, kind: Kind, entry: Entry) -> Option<usize> {
        let at = self.entries.partition_point(|known| known.time <= entry.time);
        let same = self.entries.range(..at).rev().take_while(|known| known.time == entry.time);
        if same.into_iter().any(|known| (known.member == entry.member) == kind.is_temporal()) {
            return None;
        }
        if at <= self.start {
            self.start += 1;
            self.end += 1;
        } else if at < self.end {
            self.tally.add(kind, &entry);
            self.end += 1;
        }
        self.entries.insert(at, entry);
        Some(at)
    }

    /// Looks again at every window that the match at this place belongs to; the earliest that fulfils the
    /// condition.
    pub(super) fn check(&mut self, plan: &Plan, at: usize) -> Option<Reached> {
        let last = self.entries.get(at)?.time.saturating_add(plan.timespan);
        for end in at..self.entries.len() {
            let time = self.entries.get(end).map(|entry| entry.time).filter(|time| *time <= last)?;
            if self.entries.get(end + 1).is_some_and(|next| next.time == time) {
                continue;
            }
            self.seek(plan, time, end + 1);
            if !plan.condition.holds(self.tally.most(plan.kind)) {
                continue;
            }
            let window = self.entries.range(self.start..self.end);
            let value = self.tally.value(plan.kind, plan.condition.percentile, window);
            if plan.condition.holds(value) {
                let first = self.entries.get(self.start).map_or(time, |entry| entry.time);
                return Some(Reached { first, last: time, value, matches: self.tally.matches });
            }
        }
        None
    }

    /// Moves the part with the tally to the window that ends at `time`, before the place `end`.
    fn seek(&mut self, plan: &Plan, time: u64, end: usize) {
        let opens = time.saturating_sub(plan.timespan);
        let Self { entries, tally, .. } = self;
        let begin = |entry: &Entry| entry.time < opens;
        while self.start > 0 && entries.get(self.start - 1).is_some_and(|entry| !begin(entry)) {
            self.start -= 1;
            entries.get(self.start).into_iter().for_each(|entry| tally.add(plan.kind, entry));
        }
        while self.end < end {
            entries.get(self.end).into_iter().for_each(|entry| tally.add(plan.kind, entry));
            self.end += 1;
        }
        while self.end > end {
            self.end -= 1;
            entries.get(self.end).into_iter().for_each(|entry| tally.remove(plan.kind, entry));
        }
        while self.start < self.end && entries.get(self.start).is_some_and(begin) {
            entries.get(self.start).into_iter().for_each(|entry| tally.remove(plan.kind, entry));
            self.start += 1;
        }
    }

    /// Empties the window that came true at `last`. What follows within the timespan is counted; what is
    /// later stays.
    pub(super) fn consume(&mut self, plan: &Plan, last: u64) -> u64 {
        let quiet = last.saturating_add(plan.timespan);
        let mut repeats = 0;
        self.entries.retain(|entry| {
            if entry.time > last && entry.time <= quiet {
                repeats += u64::from(entry.weight);
            }
            entry.time > quiet
        });
        self.forget_tally();
        repeats
    }

    /// Takes the window that the oldest match opened, and says what it came to.
    pub(super) fn take_first(&mut self, plan: &Plan) -> Option<Reached> {
        let over = self.over(plan)?;
        let end = self.entries.partition_point(|entry| entry.time <= over);
        self.forget_tally();
        let taken: Vec<Entry> = self.entries.drain(..end).collect();
        taken.iter().for_each(|entry| self.tally.add(plan.kind, entry));
        let value = self.tally.value(plan.kind, plan.condition.percentile, taken.iter());
        let matches = self.tally.matches;
        self.forget_tally();
        self.full = false;
        let (first, last) = (taken.first()?.time, taken.last()?.time);
        Some(Reached { first, last, value, matches })
    }

    /// Drops matches that are older than any window that may still be looked at.
    pub(super) fn forget_before(&mut self, kind: Kind, time: u64) {
        while let Some(entry) = self.entries.front().filter(|entry| entry.time < time) {
            if self.start == 0 && self.end > 0 {
                self.tally.remove(kind, entry);
            }
            self.start = self.start.saturating_sub(1);
            self.end = self.end.saturating_sub(1);
            self.entries.pop_front();
        }
    }

    /// Makes room for another match: whether there is any, and how many were dropped for it.
    pub(super) fn make_room(&mut self, plan: &Plan) -> (bool, u64) {
        if self.full {
            return (false, 1);
        }
        if self.entries.len() < GROUP_ENTRIES_MAX {
            return (true, 0);
        }
        self.thin(plan);
        let surplus = self.entries.len().saturating_sub(GROUP_ENTRIES_MAX - GROUP_ENTRIES_MAX / 8);
        if surplus == 0 {
            return (true, 0);
        }
        if !plan.at_once() {
            self.full = true;
            return (false, 1);
        }
        self.entries.drain(..surplus);
        (true, u64::try_from(surplus).unwrap_or(u64::MAX))
    }

    /// Joins matches that decide nothing with a neighbour.
    fn thin(&mut self, plan: &Plan) {
        self.forget_tally();
        match plan.kind {
            Kind::EventCount | Kind::ValueSum | Kind::ValueAvg => self.join_close(plan),
            Kind::ValueCount | Kind::Temporal | Kind::TemporalOrdered => self.join_same(plan),
            Kind::ValuePercentile => {}
        }
    }

    /// Matches within one part of the window become one, at the time of the first.
    fn join_close(&mut self, plan: &Plan) {
        let part = plan.timespan.saturating_add(plan.slack) / WINDOW_PARTS;
        let mut kept: VecDeque<Entry> = VecDeque::new();
        for entry in &self.entries {
            match kept.back_mut().filter(|back| entry.time - back.time <= part) {
                Some(back) => {
                    back.weight = back.weight.saturating_add(entry.weight);
                    back.measure = back.measure.plus(entry.measure);
                }
                None => kept.push_back(*entry),
            }
        }
        self.entries = kept;
    }

    /// Of three matches that say the same within a timespan, any window that holds the middle one holds
    /// another one of them. Where order counts, nothing may lie between them.
    fn join_same(&mut self, plan: &Plan) {
        let mut kept: Vec<Option<Entry>> = Vec::with_capacity(self.entries.len());
        // By what they say: the places of the last two.
        let mut last: FxHashMap<u64, (Option<usize>, usize)> = FxHashMap::default();
        let ordered = plan.kind == Kind::TemporalOrdered;
        for mut entry in self.entries.iter().copied() {
            let key = match entry.measure {
                Measure::Distinct(hash) => hash,
                Measure::Match | Measure::Whole(_) | Measure::Decimal(_) => u64::from(entry.member),
            };
            if ordered {
                last.retain(|known, _| *known == key);
            }
            let at = kept.len();
            let before = last.get(&key).copied();
            let earliest = before.and_then(|(earlier, _)| earlier);
            let time = earliest.and_then(|at| kept.get(at).copied().flatten()).map(|entry| entry.time);
            let next = match (before, time) {
                (Some((_, middle)), Some(time)) if entry.time - time <= plan.timespan => {
                    let middle = kept.get_mut(middle).and_then(Option::take);
                    entry.weight = entry.weight.saturating_add(middle.map_or(0, |middle| middle.weight));
                    (earliest, at)
                }
                (before, _) => (before.map(|(_, later)| later), at),
            };
            last.insert(key, next);
            kept.push(Some(entry));
        }
        self.entries = kept.into_iter().flatten().collect();
    }

    fn forget_tally(&mut self) {
        (self.start, self.end) = (0, 0);
        self.tally = Tally::default();
    }
}
