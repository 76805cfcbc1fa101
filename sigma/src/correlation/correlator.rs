//! Feeds matches to their groups, tells what came true, and feeds that on.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::group::{Group, GroupKey};
use super::limit::{LAG, TOLERANCE, WAITING_MAX};
use super::measure::{Entry, Measure};
use super::network::{Network, Plan, Reading};
use super::origin::{Digest, Pending};
use super::table::{GroupId, Table};
use super::{Joined, Stats};
use crate::record::{Owner, Record};
use crate::rule::RuleIndex;
use crate::rule_set::RuleSet;

/// The windows of all correlations of a rule set.
///
/// - **Windows** run on the time of the records. A condition with bounds from below on something that only
///   grows (`gt`, `gte` of a count, a sum, a number of rules) is asked with every match, of the window that
///   ends there. Any other can only be decided when a window is over: a group's first match opens one, it is
///   decided in [`due`](Self::due), and the next match behind its end opens another.
/// - **Both ends count**: matches exactly one `timespan` apart belong together.
/// - **Order of arrival** does not matter within 15 seconds: a match is put in its place, and every window it
///   belongs to is looked at again. Later ones are left out and [counted](Stats::late).
/// - **Again**: a group that came true is emptied and says nothing for one `timespan` from the match that
///   made it true; matches of that time are counted for the next alert. A group never tells twice in one.
/// - **Groups** have values in common, compared as they are; of several values of a field the first counts;
///   having none is a value, too. A group by a process's or container's own values ends with it.
/// - **What is measured** must be there: a match without the counted value, or without a number where
///   numbers are measured, is no part of it. An event that several rules match is counted once.
#[derive(Debug)]
pub struct Correlator<H> {
    table: Table<H>,
    digest: Digest,
    /// Of the newest record.
    newest: u64,
    /// The host's clock, as far as it was told.
    clock: u64,
    waiting: VecDeque<Waiting<H>>,
}

/// A match on its way to a group.
#[derive(Debug)]
struct Arrival<H> {
    reading: Reading,
    time: u64,
    /// `None`: it was let go, for lack of room.
    event: Option<H>,
    /// Whose match it is, where a correlation matched.
    inner: Option<Arc<GroupKey>>,
}

/// A match of a correlation whose record lacks a value for the one that reads it.
#[derive(Debug)]
struct Waiting<H> {
    record: u64,
    arrival: Arrival<H>,
}

impl<H> Default for Correlator<H> {
    fn default() -> Self {
        Self {
            table: Table::default(),
            digest: Digest::default(),
            newest: 0,
            clock: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<H: Clone> Correlator<H> {
    /// Whether any correlation reads one of these rules: only then is there something to feed.
    #[must_use]
    pub fn wants(set: &RuleSet, matched: &[RuleIndex]) -> bool {
        matched.iter().any(|rule| !set.correlations().readers(*rule).is_empty())
    }

    /// Tells the correlations that `record` matched these rules. `only`: no other correlations than these,
    /// since the others were told before. Appends to `joined`.
    pub fn feed(
        &mut self,
        set: &RuleSet,
        record: &impl Record,
        matched: &[RuleIndex],
        only: Option<&[RuleIndex]>,
        event: &H,
        joined: &mut Joined<H>,
    ) {
        let network = set.correlations();
        let time = record.time();
        self.newest = self.newest.max(time);
        let asked = |reading: &Reading| {
            let rule = network.plan(reading.plan).map(|plan| plan.rule);
            only.is_none_or(|only| rule.is_some_and(|rule| only.contains(&rule)))
        };
        let mut arrivals: VecDeque<Arrival<H>> = VecDeque::new();
        for reading in matched.iter().flat_map(|rule| network.readers(*rule)).filter(|reading| asked(reading))
        {
            let again = arrivals.iter().any(|arrival| arrival.reading.plan == reading.plan);
            let counts_rules = network.plan(reading.plan).is_some_and(|plan| plan.kind.is_temporal());
            if !again || counts_rules {
                arrivals.push_back(Arrival {
                    reading: *reading,
                    time,
                    event: Some(event.clone()),
                    inner: None,
                });
            }
        }
        if only.is_some() {
            for waiting in std::mem::take(&mut self.waiting) {
                if waiting.record == time && asked(&waiting.arrival.reading) {
                    arrivals.push_back(waiting.arrival);
                } else {
                    self.waiting.push_back(waiting);
                }
            }
        }
        self.settle(set, arrivals, Some(record), joined);
    }

    /// Decides the windows that are over at `now`; to be called about once a second. Appends to `joined`.
    ///
    /// A window is over 15 seconds behind its end, when no match can come any more that belongs to it; one of a
    /// correlation that reads such windows, later by as much as they may be. `u64::MAX` decides all: no more
    /// records come.
    pub fn due(&mut self, set: &RuleSet, now: u64, joined: &mut Joined<H>) {
        let network = set.correlations();
        self.clock = self.clock.max(now);
        loop {
            let windows = self.table.groups().filter_map(|(id, group)| {
                let plan = network.plan(group.key.plan).filter(|plan| !plan.at_once())?;
                let end = group.window.over(plan)?;
                (end.saturating_add(plan.slack) < now).then_some((end, id))
            });
            let mut over: Vec<(u64, GroupId)> = windows.collect();
            if over.is_empty() {
                break;
            }
            over.sort_unstable();
            for (_, id) in over {
                self.decide(set, id, now, joined);
            }
        }
        let gone = self.table.groups().filter(|(_, group)| {
            let is_over =
                |plan: &Plan| group.is_over(plan, now.saturating_sub(plan.slack.saturating_add(LAG)));
            network.plan(group.key.plan).is_none_or(is_over)
        });
        for id in gone.map(|(id, _)| id).collect::<Vec<_>>() {
            self.table.remove(id);
        }
        let horizon = now.saturating_sub(TOLERANCE + LAG);
        self.waiting.retain(|waiting| waiting.record >= horizon);
    }

    /// A process or container is gone, and with it every group that belongs to it.
    pub fn ended(&mut self, owner: Owner) {
        self.table.end(owner);
        let belongs = |key: &Arc<GroupKey>| key.owners().any(|known| known == owner);
        self.waiting.retain(|waiting| !waiting.arrival.inner.as_ref().is_some_and(belongs));
    }

    /// Another rule set takes over: the windows of correlations that are written the same, and whose rules
    /// are, go on.
    pub fn adopt(&mut self, old: &RuleSet, new: &RuleSet) {
        let mut places: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
        for (at, plan) in new.correlations().plans.iter().enumerate().rev() {
            places.entry(plan.fingerprint).or_default().push(at);
        }
        let fingerprints = old.correlations().plans.iter().map(|plan| plan.fingerprint);
        let place: Vec<Option<usize>> =
            fingerprints.map(|fingerprint| places.get_mut(&fingerprint).and_then(Vec::pop)).collect();
        let moved = |key: &GroupKey| {
            let plan = place.get(key.plan).copied().flatten()?;
            Some(Arc::new(GroupKey { plan, values: key.values.clone() }))
        };
        for group in self.table.take_all() {
            if let Some(key) = moved(&group.key) {
                self.table.insert(Group { key, ..group });
            }
        }
        for mut waiting in std::mem::take(&mut self.waiting) {
            let plan = place.get(waiting.arrival.reading.plan).copied().flatten();
            let inner = waiting.arrival.inner.as_deref().and_then(moved);
            if let (Some(plan), Some(inner)) = (plan, inner) {
                waiting.arrival.reading.plan = plan;
                waiting.arrival.inner = Some(inner);
                self.waiting.push_back(waiting);
            }
        }
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        self.table.stats
    }

    /// Tells all windows of a group that are over.
    fn decide(&mut self, set: &RuleSet, id: GroupId, now: u64, joined: &mut Joined<H>) {
        let network = set.correlations();
        loop {
            let Some(group) = self.table.get(id) else { return };
            // The match of another window may have taken the group's place.
            let Some(plan) = network.plan(group.key.plan).filter(|plan| !plan.at_once()) else { return };
            let over = group.window.over(plan).filter(|end| end.saturating_add(plan.slack) < now);
            let Some(end) = over else { return };
            let decided = self.table.update(id, |group, _| {
                let reached = group.window.take_first(plan)?;
                let told = plan.condition.holds(reached.value).then(|| group.tell(plan, reached));
                told.map(|told| (Arc::clone(&group.key), told))
            });
            let Some((key, told)) = decided.flatten() else { continue };
            let event = told.steps.last().map(|step| step.event.clone());
            joined.correlated.push(told);
            // What is only decided at the end of its window is a match of that moment.
            let arrivals = onward(network, plan.rule, end, event.as_ref(), &key);
            self.settle(set, arrivals.collect(), None, joined);
        }
    }

    /// Joins matches, and the matches of correlations they make true, until none is left: no correlation
    /// reads itself, so there is an end.
    fn settle(
        &mut self,
        set: &RuleSet,
        mut arrivals: VecDeque<Arrival<H>>,
        record: Option<&dyn Record>,
        joined: &mut Joined<H>,
    ) {
        let network = set.correlations();
        while let Some(arrival) = arrivals.pop_front() {
            let Some(plan) = network.plan(arrival.reading.plan) else { continue };
            let Some(member) = plan.members.get(arrival.reading.member) else { continue };
            if record.is_some() && self.is_late(plan, arrival.time) {
                self.table.stats.late += 1;
                continue;
            }
            let inner = arrival.inner.as_deref();
            let found = self.digest.values(member, record, inner).and_then(|values| {
                let measure = self.digest.measure(plan.kind, member, record, inner)?;
                Ok((values, measure))
            });
            let (values, measure) = match found {
                Ok((values, Some(measure))) => (values, measure),
                Ok((_, None)) => continue,
                Err(Pending) => {
                    if !joined.open.contains(&plan.rule) {
                        joined.open.push(plan.rule);
                    }
                    self.wait(record, arrival);
                    continue;
                }
            };
            let key = GroupKey { plan: arrival.reading.plan, values };
            let event = arrival.event.clone();
            let Some((key, reached)) = self.join(plan, key, measure, arrival) else { continue };
            arrivals.extend(onward(network, plan.rule, reached.time, event.as_ref(), &key));
            joined.correlated.push(reached.told);
        }
    }

    /// Whether the windows of this time may be decided already.
    fn is_late(&self, plan: &Plan, time: u64) -> bool {
        let newest = if plan.at_once() { self.newest } else { self.newest.max(self.clock) };
        time.saturating_add(TOLERANCE) < newest
    }

    /// Keeps a correlation's match until its record knows more. Matches of records are the host's to keep.
    fn wait(&mut self, record: Option<&dyn Record>, arrival: Arrival<H>) {
        let (Some(record), Some(_)) = (record, &arrival.inner) else { return };
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
            self.table.stats.evicted_entries += 1;
        }
        self.waiting.push_back(Waiting { record: record.time(), arrival });
    }

    /// Puts a match in its group; what came true by it.
    fn join(
        &mut self,
        plan: &Plan,
        key: GroupKey,
        measure: Measure,
        arrival: Arrival<H>,
    ) -> Option<(Arc<GroupKey>, Told<H>)> {
        let Arrival { time, event, reading, .. } = arrival;
        let member = u8::try_from(reading.member).unwrap_or(u8::MAX);
        let id = self.table.open(key);
        let quiet = self.table.update(id, |group, _| {
            let quiet = group.is_quiet(time);
            group.repeats += u64::from(quiet);
            quiet
        })?;
        if quiet {
            return None;
        }
        self.table.make_room(id);
        let horizon = self.newest.saturating_sub(plan.timespan.saturating_add(plan.slack));
        let entry = Entry { time, member, weight: 1, measure };
        let at = self.table.update(id, |group, stats| put(group, plan, entry, horizon, stats))??;
        if let Some(event) = event {
            self.table.keep(id, time, member, event);
        }
        if !plan.at_once() {
            return None;
        }
        self.table.update(id, |group, _| {
            let reached = group.window.check(plan, at)?;
            let told = group.tell(plan, reached);
            group.quiet = Some(reached.last.saturating_add(plan.timespan));
            group.repeats = group.window.consume(plan, reached.last);
            Some((Arc::clone(&group.key), Told { time: reached.last, told }))
        })?
    }
}

/// A correlation that came true, and at which match.
struct Told<H> {
    time: u64,
    told: super::Correlated<H>,
}

/// Puts a match in its window, after making room in it; its place, if it is there.
fn put<H>(group: &mut Group<H>, plan: &Plan, entry: Entry, horizon: u64, stats: &mut Stats) -> Option<usize> {
    if plan.at_once() {
        group.window.forget_before(plan.kind, horizon);
    }
    let (fits, dropped) = group.window.make_room(plan);
    stats.evicted_entries += dropped;
    if !fits {
        return None;
    }
    group.window.insert(plan.kind, entry)
}

/// The matches of a correlation, for those that read it.
fn onward<H: Clone>(
    network: &Network,
    rule: RuleIndex,
    time: u64,
    event: Option<&H>,
    key: &Arc<GroupKey>,
) -> impl Iterator<Item = Arrival<H>> {
    network.readers(rule).iter().map(move |reading| Arrival {
        reading: *reading,
        time,
        event: event.cloned(),
        inner: Some(Arc::clone(key)),
    })
}

#[cfg(test)]
impl<H> Correlator<H> {
    /// The correlations that have a group, once for each.
    pub(super) fn grouped(&self, set: &RuleSet) -> impl Iterator<Item = RuleIndex> {
        let plans = &set.correlations().plans;
        self.table.groups().filter_map(|(_, group)| plans.get(group.key.plan)).map(|plan| plan.rule)
    }

    /// How many events are kept to be shown.
    pub(super) fn kept_events(&self) -> usize {
        self.table.groups().map(|(_, group)| group.steps.len()).sum()
    }
}
