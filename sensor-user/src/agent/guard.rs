//! Looks after what the sensor has in the kernel, and after itself: tells who works on it, puts it right, and says from
//! when to when something was not seen.
//!
//! Each link is looked at every two seconds and made anew at the same look, so a detached one is back within these. What
//! cannot be had back is tried again at every look; the message is not.

use std::collections::{BTreeMap, VecDeque};

use tracing::warn;

use super::suspect::{Cause, Suspects};
use super::{Agent, SKIPPED, facts, report};
use crate::alert::{Deed, Gap, Loss, Mended, Subject, TamperAction, Tampering, Window};
use crate::ebpf::load::Loaded;
use crate::ebpf::stranger::{Beside, Loaded as LoadedProgram};
use crate::ebpf::watch::{Broken, Findings, Harm};
use crate::host::waking_time;
use crate::outbox::{Earlier, Life};

/// A loop that has not looked for this long did not run: it looks every two seconds, and no step of it takes one.
const STALL: u64 = 6_000_000_000;
/// So often the same deed is told at once, then once in [`REPEAT`] with how often it was done: who detaches in a loop
/// fills no outbox.
const TOLD_AT_ONCE: u64 = 8;
/// Nanoseconds.
const REPEAT: u64 = 30 * 1_000_000_000;
/// Gaps that heartbeats repeat: a receiver that missed the notice has them from here.
const GAPS_MAX: usize = 8;
/// What the agent calls itself.
const AGENT: &str = "tidewaiter";

/// What is known of earlier looks.
pub(super) struct Guard {
    /// The last look, by the clock that runs on while the machine sleeps and by the one that does not.
    looked: u64,
    awake: u64,
    /// Since when programs are not hooked.
    blind: BTreeMap<String, u64>,
    gaps: VecDeque<Gap>,
    repeats: BTreeMap<(&'static str, String), Repeat>,
    /// The mark that this run is on.
    life: Option<Life>,
    pub(super) suspects: Suspects,
}

/// A deed that is done again and again.
#[derive(Default)]
struct Repeat {
    times: u64,
    told: u64,
}

/// The agent did not run in between.
struct Stall {
    from: u64,
    to: u64,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            looked: facts::now(),
            awake: waking_time(),
            blind: BTreeMap::new(),
            gaps: VecDeque::new(),
            repeats: BTreeMap::new(),
            life: None,
            suspects: Suspects::new(),
        }
    }

    /// Renews the mark.
    pub(super) fn beat(&self) {
        if let Some(Err(error)) = self.life.as_ref().map(Life::beat) {
            warn!(%error, "if this run is killed, the next one will not know since when");
        }
    }

    /// Takes the mark away: this run has said its last word.
    pub(super) fn end(self) {
        if let Some(Err(error)) = self.life.map(Life::end) {
            warn!(%error, "the next run will take this one for killed");
        }
    }

    /// The newest gaps, those first that are over.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let open = self.blind.iter().map(|(program, since)| Gap {
            what: program.clone(),
            window: window(*since, self.looked),
            is_open: true,
        });
        self.gaps.iter().cloned().chain(open).collect()
    }

    /// Whether the agent ran since the last look; a machine that slept did not stop it.
    fn stall(&mut self) -> Option<Stall> {
        let (now, awake) = (facts::now(), waking_time());
        let is_stalled = awake.saturating_sub(self.awake) >= STALL;
        let stall = is_stalled.then_some(Stall { from: self.looked, to: now });
        self.awake = awake;
        stall
    }

    fn note(&mut self, what: &str, window: Window) {
        if self.gaps.len() >= GAPS_MAX {
            self.gaps.pop_front();
        }
        self.gaps.push_back(Gap { what: what.to_owned(), window, is_open: false });
    }

    /// A deed as it is told; none: it was told often enough of late.
    fn deed(&mut self, action: TamperAction, name: &str, now: u64) -> Option<Deed> {
        let repeat = self.repeats.entry((action.name(), name.to_owned())).or_default();
        repeat.times += 1;
        let is_told = repeat.times <= TOLD_AT_ONCE || now.saturating_sub(repeat.told) >= REPEAT;
        if !is_told {
            return None;
        }
        repeat.told = now;
        let times = repeat.times;
        let by = self.suspects.between(Cause::Hold, self.looked, now);
        let name = name.to_owned();
        Some(Deed { action, name, window: None, mended: None, times, detail: None, by })
    }

    /// Puts a link right, and says what is to be told of it.
    fn mend(&mut self, kernel: &mut Loaded, broken: &Broken) -> Option<Deed> {
        let program = &broken.program;
        let since = *self.blind.entry(program.clone()).or_insert(self.looked);
        let mended = kernel.mend(broken);
        let now = facts::now();
        let window = window(since, now);
        let is_back = !matches!(mended, Mended::Failed(_));
        if is_back {
            self.blind.remove(program);
            self.note(program, window);
        }
        let (action, detail) = match broken.harm {
            _ if !broken.is_new => (TamperAction::Restored, None),
            Harm::Detached => (TamperAction::Detached, None),
            Harm::Replaced { by, .. } => (TamperAction::Replaced, Some(format!("it ran program {by}"))),
            Harm::Closed => (TamperAction::Closed, None),
        };
        // One that stays broken was told when it broke.
        if !broken.is_new && !is_back {
            return None;
        }
        let deed = self.deed(action, program, now)?;
        Some(Deed { window: Some(window), mended: Some(mended), detail, ..deed })
    }

    /// What is to be told of a look.
    fn judge(&mut self, kernel: &mut Loaded, findings: Findings) -> Vec<Tampering> {
        let now = facts::now();
        let Findings { broken, closed, loaded, beside, tracing, skipped: _ } = findings;
        let mut deeds: Vec<Deed> = broken.iter().filter_map(|broken| self.mend(kernel, broken)).collect();
        deeds.extend(closed.iter().filter_map(|name| self.deed(TamperAction::Closed, name, now)));
        if let Some(is_on) = tracing {
            deeds.extend(self.traced(kernel, is_on));
        }
        for Beside { id, name, program } in beside {
            let deed = self.deed(TamperAction::Beside, &program, now);
            let name = name.unwrap_or_default();
            deeds.extend(deed.map(|deed| Deed { detail: Some(format!("program {id} {name}")), ..deed }));
        }
        if kernel.ring.take_moved() > 0 {
            deeds.extend(self.deed(TamperAction::Moved, "RECORDS", now));
        }
        let loaded = loaded.into_iter().map(|LoadedProgram { id, kind, name, uid, map }| Tampering::Loaded {
            id,
            kind,
            name,
            uid,
            map,
        });
        self.looked = now;
        deeds.into_iter().map(Tampering::Done).chain(loaded).collect()
    }

    /// Limits that no program of the sensor's sets: whose they are would be counted and never told.
    fn forged(&mut self, count: u64) -> Option<Deed> {
        if count == 0 {
            return None;
        }
        let deed = self.deed(TamperAction::Changed, "ACCOUNTS", facts::now())?;
        let detail = Some(format!("{count} limits lay in the future: they are as before"));
        Some(Deed { detail, ..deed })
    }

    /// Tracing of functions went off or on.
    fn traced(&mut self, kernel: &mut Loaded, is_on: bool) -> Option<Deed> {
        const ALL: &str = "every fentry and fexit hook";
        let since = *self.blind.entry(ALL.to_owned()).or_insert(self.looked);
        let mended = (!is_on).then(|| kernel.trace_again());
        let now = facts::now();
        let window = window(since, now);
        if !matches!(mended, Some(Mended::Failed(_))) {
            self.blind.remove(ALL);
            self.note(ALL, window);
        }
        let action = if is_on { TamperAction::Enabled } else { TamperAction::Disabled };
        let deed = self.deed(action, ALL, now)?;
        Some(Deed { window: Some(window), mended, ..deed })
    }
}

impl Agent {
    /// Tells who works on the sensor's programs or brings his own; returns what the kernel did not run.
    pub(super) fn look_after(&mut self) -> Vec<Loss> {
        let mut findings = match self.kernel.watch.look() {
            Ok(findings) => findings,
            Err(error) => {
                warn!(%error, "whether the programs are still attached is not known");
                return Vec::new();
            }
        };
        let skipped = std::mem::take(&mut findings.skipped);
        let mut deeds = self.guard.judge(&mut self.kernel, findings);
        let forged = self.books.take_forged();
        deeds.extend(self.guard.forged(forged).map(Tampering::Done));
        self.tell(deeds);
        let skipped = skipped.into_iter();
        skipped
            .map(|(program, count)| Loss {
                what: format!("run of {program}"),
                count,
                reason: SKIPPED,
                ..Loss::default()
            })
            .collect()
    }

    /// Whether the agent ran since the last look. Who reads its events slowly makes it wait: then that is no news.
    pub(super) fn stalled(&mut self) -> Option<Tampering> {
        let Stall { from, to } = self.guard.stall().filter(|_| !self.reporter.observes())?;
        // Who stopped it is in the ring.
        self.turn();
        let by = self.guard.suspects.between(Cause::Signal, from, to);
        let window = window(from, to);
        self.guard.note(AGENT, window);
        let deed = self.guard.deed(TamperAction::Stopped, AGENT, to)?;
        let seconds = to.saturating_sub(from) / 1_000_000_000;
        let detail = format!(
            "stopped, frozen or without a processor for {seconds} s: what happened is told late, what the ring could \
             not hold as lost"
        );
        Some(Tampering::Done(Deed { window: Some(window), detail: Some(detail), by, ..deed }))
    }

    /// Takes the mark of this run; one of an earlier run tells that it did not end in order.
    pub(super) fn begin_life(&mut self, life: Option<(Life, Option<Earlier>)>) {
        let Some((life, earlier)) = life else { return };
        self.guard.life = Some(life);
        if let Some(earlier) = earlier {
            self.tell_earlier(earlier);
        }
    }

    fn tell_earlier(&mut self, earlier: Earlier) {
        let window = Window { from: earlier.last, to: report::date(facts::now()) };
        self.guard.note(AGENT, window);
        let how = if earlier.is_same_boot { "killed or crashed" } else { "the machine went down with it" };
        let detail = Some(format!("{how}; nothing was watched from some time on until now"));
        let deed = self.guard.deed(TamperAction::Killed, AGENT, facts::now());
        let deeds = deed.map(|deed| Tampering::Done(Deed { window: Some(window), detail, ..deed }));
        self.tell(deeds.into_iter().collect());
    }

    pub(super) fn tell(&mut self, deeds: Vec<Tampering>) {
        if !deeds.is_empty() {
            self.reporter.notice(Subject::Tampering(deeds));
        }
    }
}

fn window(from: u64, to: u64) -> Window {
    Window { from: report::date(from), to: report::date(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_deed_that_is_repeated_is_told_at_once_and_then_by_its_count() {
        let mut guard = Guard::new();
        let mut told = |now| guard.deed(TamperAction::Detached, "connect4", now).map(|deed| deed.times);
        let first: Vec<_> = (1..=TOLD_AT_ONCE).filter_map(|time| told(time * 2 * SECOND)).collect();
        assert_eq!(first, (1..=TOLD_AT_ONCE).collect::<Vec<_>>());
        let last = TOLD_AT_ONCE * 2 * SECOND;
        assert_eq!(told(last + 2 * SECOND), None);
        assert_eq!(told(last + 4 * SECOND), None);
        assert_eq!(told(last + REPEAT), Some(TOLD_AT_ONCE + 3), "with those that were not told");
    }

    #[test]
    fn an_agent_that_did_not_run_knows_it_and_a_machine_that_slept_stopped_nobody() {
        let mut guard = Guard::new();
        assert!(guard.stall().is_none());
        guard.awake -= STALL;
        assert!(guard.stall().is_some());
        assert!(guard.stall().is_none(), "it is told once");
        guard.looked -= 3600 * SECOND;
        assert!(guard.stall().is_none(), "an hour of sleep is on the other clock alone");
    }

    #[test]
    fn gaps_are_kept_within_a_bound_and_those_that_go_on_come_last() {
        let mut guard = Guard::new();
        for number in 0..2 * GAPS_MAX {
            guard.note(&number.to_string(), window(0, 1));
        }
        guard.blind.insert("connect4".to_owned(), 0);
        let gaps = guard.gaps();
        assert_eq!(gaps.len(), GAPS_MAX + 1);
        assert_eq!((gaps[0].what.as_str(), gaps[0].is_open), ("8", false));
        assert_eq!((gaps[GAPS_MAX].what.as_str(), gaps[GAPS_MAX].is_open), ("connect4", true));
    }
}
