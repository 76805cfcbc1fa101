//! Matches that could not be decided: which rules did not get what they ask for, and of whom.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sigma::{Engine, RuleIndex};

use crate::alert::Loss;
use crate::state::container::Container;

/// Most rows that are counted apart, by rule, container and reason: as many containers as may start while
/// How the reason of each of them begins.
pub const UNDECIDED: &str = "undecided";
/// no runtime answers, with a handful of such rules. Beyond it they are summed up.
const ROWS_MAX: usize = 1024;
/// Most rows told at once: what a person reads, and what a syslog frame holds. The rest is summed up.
const TOLD_MAX: usize = 16;
/// How often they are told, nanoseconds: a container that no runtime knows may go on for days, and its
/// first row has said so.
const TOLD_EVERY: u64 = 60_000_000_000;

/// Why a rule stayed neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    NoRuntime,
    TooMany,
    SensorEnded,
    RuleGone,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::NoRuntime => "undecided: no runtime knows the container",
            Self::TooMany => "undecided: too many wait for a container's name",
            Self::SensorEnded => "undecided: the sensor ended before the runtime answered",
            Self::RuleGone => "undecided: the rule was taken away before the runtime answered",
        }
    }
}

type Row = (RuleIndex, Arc<str>, Reason);

/// Counts of what is not told yet.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    rows: FxHashMap<Row, (u64, Arc<Container>)>,
    others: u64,
    /// Of rules that are gone since.
    gone: Vec<Loss>,
    /// When something was told last, `CLOCK_BOOTTIME` nanoseconds.
    told: Option<u64>,
}

impl Undecided {
    pub(super) fn note(&mut self, rule: RuleIndex, container: &Arc<Container>, reason: Reason) {
        let row = (rule, Arc::from(container.id.as_str()), reason);
        if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&row) {
            self.others += 1;
            return;
        }
        self.rows.entry(row).or_insert_with(|| (0, Arc::clone(container))).0 += 1;
    }

    /// Other rules took over from those of `engine`: rows go on under their rule's successor.
    pub(super) fn renumber(&mut self, successor: &impl Fn(RuleIndex) -> Option<RuleIndex>, engine: &Engine) {
        let rows = std::mem::take(&mut self.rows);
        for ((rule, id, reason), (count, container)) in rows {
            match successor(rule) {
                Some(new) => _ = self.rows.insert((new, id, reason), (count, container)),
                None if self.gone.len() < ROWS_MAX => {
                    self.gone.push(loss(rule, reason, count, container, engine));
                }
                None => self.others += count,
            }
        }
    }

    /// What is to be told at `now` (boot, nanoseconds), the most frequent first.
    pub(super) fn take(&mut self, now: u64, engine: &Engine) -> Vec<Loss> {
        let is_early = self.told.is_some_and(|told| now.saturating_sub(told) < TOLD_EVERY);
        if (self.rows.is_empty() && self.gone.is_empty()) || is_early {
            return Vec::new();
        }
        self.told = Some(now);
        let mut losses = std::mem::take(&mut self.gone);
        let mut rows: Vec<_> = self.rows.drain().collect();
        rows.sort_by(|(left, (few, _)), (right, (many, _))| {
            (many, left.0, &left.1).cmp(&(few, right.0, &right.1))
        });
        losses.extend(
            rows.into_iter()
                .map(|((rule, _, reason), (count, container))| loss(rule, reason, count, container, engine)),
        );
        let rest = losses.split_off(losses.len().min(TOLD_MAX));
        let rest: u64 = rest.iter().map(|loss| loss.count).sum();
        let others = std::mem::take(&mut self.others).saturating_add(rest);
        if others > 0 {
            let what = "matches of other rules or containers".to_owned();
            losses.push(Loss { what, count: others, reason: UNDECIDED, ..Loss::default() });
        }
        losses
    }
}

fn loss(rule: RuleIndex, reason: Reason, count: u64, container: Arc<Container>, engine: &Engine) -> Loss {
    Loss {
        what: engine.rule(rule).map_or_else(String::new, |rule| format!("match of \"{}\"", rule.title)),
        count,
        reason: reason.text(),
        container: Some(container),
        window: None,
    }
}
