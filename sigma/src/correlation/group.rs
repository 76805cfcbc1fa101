//! A group: matches that have values in common, and what is kept to show of them.

use std::sync::Arc;

use super::Correlated;
use super::limit::{GROUP_STEPS_MAX, REPEATS_KEPT, VALUE_MAX};
use super::network::Plan;
use super::window::{Reached, Window};
use crate::record::Owner;

/// A value that a group has in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupValue {
    /// `None`: they all lack it, which is a value of its own.
    pub(super) text: Option<Box<str>>,
    /// Of the whole text, where only its beginning is kept.
    pub(super) rest: u64,
    /// Whose the value is: a process id that is used again is another value.
    pub(super) owner: Option<Owner>,
}

impl GroupValue {
    /// `digest`: of the text, asked where it is too long to keep.
    pub(super) fn of(text: Option<&str>, owner: Option<Owner>, digest: impl Fn(&str) -> u64) -> Self {
        let (kept, rest) = match text {
            Some(long) if long.len() > VALUE_MAX => {
                (long.get(..long.floor_char_boundary(VALUE_MAX)), digest(long))
            }
            other => (other, 0),
        };
        Self { text: kept.map(Box::from), rest, owner }
    }
}

/// What makes a group: a correlation and the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    /// Place of the correlation in its network.
    pub(super) plan: usize,
    pub(super) values: Box<[GroupValue]>,
}

impl GroupKey {
    pub(super) fn owners(&self) -> impl Iterator<Item = Owner> {
        self.values.iter().filter_map(|value| value.owner)
    }
}

/// An event that is kept to be shown.
#[derive(Clone, Debug)]
pub(super) struct Kept<H> {
    /// Unique among all groups.
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) member: u8,
    pub(super) event: H,
}

/// The state of one group.
#[derive(Debug)]
pub(super) struct Group<H> {
    pub(super) key: Arc<GroupKey>,
    pub(super) window: Window,
    /// By time; at most [`GROUP_STEPS_MAX`].
    pub(super) steps: Vec<Kept<H>>,
    /// Up to when matches are only counted, since the group was told.
    pub(super) quiet: Option<u64>,
    /// Matches that were only counted.
    pub(super) repeats: u64,
}

impl<H> Group<H> {
    pub(super) fn new(key: Arc<GroupKey>) -> Self {
        Self { key, window: Window::default(), steps: Vec::new(), quiet: None, repeats: 0 }
    }

    /// Whether a match of this time is only counted.
    pub(super) fn is_quiet(&self, time: u64) -> bool {
        self.quiet.is_some_and(|until| time <= until)
    }

    /// Whether nothing of the group can matter any more. `horizon`: older matches than this are left out.
    pub(super) fn is_over(&self, plan: &Plan, horizon: u64) -> bool {
        let windows =
            self.window.newest().is_none_or(|newest| newest.saturating_add(plan.timespan) < horizon);
        let kept = if self.repeats > 0 { REPEATS_KEPT } else { 0 };
        windows && self.quiet.is_none_or(|until| until.saturating_add(kept) < horizon)
    }

    /// Keeps an event. Of too many the oldest goes, of the rule that has most: the one match of another
    /// rule is worth more than the hundredth of this one.
    pub(super) fn keep(&mut self, step: Kept<H>) {
        let at = self.steps.partition_point(|known| known.time <= step.time);
        self.steps.insert(at, step);
        if self.steps.len() > GROUP_STEPS_MAX {
            let count = |member: u8| self.steps.iter().filter(|step| step.member == member).count();
            let most = self.steps.iter().map(|step| count(step.member)).max();
            let oldest = self.steps.iter().position(|step| Some(count(step.member)) == most);
            oldest.into_iter().for_each(|at| drop(self.steps.remove(at)));
        }
    }

    /// Makes the alert of a window that came true, and takes from the group what it is made of.
    pub(super) fn tell(&mut self, plan: &Plan, reached: Reached) -> Correlated<H> {
        let mut steps = Vec::new();
        self.steps.retain(|step| step.time >= reached.first);
        let later = self.steps.partition_point(|step| step.time <= reached.last);
        for step in self.steps.drain(..later) {
            let rule = plan.members.get(usize::from(step.member)).map_or(plan.rule, |member| member.rule);
            steps.push(super::Step { time: step.time, rule, event: step.event });
        }
        let texts = self.key.values.iter().map(|value| value.text.as_deref().map(str::to_owned));
        Correlated {
            rule: plan.rule,
            first: reached.first,
            last: reached.last,
            value: reached.value,
            group: plan.keys.iter().cloned().zip(texts).collect(),
            steps,
            matches: reached.matches,
            repeats: std::mem::take(&mut self.repeats),
        }
    }
}
