//! Flies the delivery canary: starts its process, watches for its record and its alert, asks whether the receivers have
//! it, and tells when that goes wrong and when it is well again.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::info;
use uuid::Uuid;

use super::Agent;
use super::report::Reporter;
use crate::alert::{CanaryReport, Subject, reason};
use crate::canary::{Flight, RULE_ID, Stage, Step};
use crate::config::CanarySettings;
use crate::keeper;
use crate::metric::snapshot::{self, Arrival, Count, bounded};
use crate::story::Account;

/// The first one, after the start: receivers have had the time to be connected to. Nanoseconds.
const FIRST: u64 = 5_000_000_000;
/// How often one on its way is looked at, nanoseconds.
const LOOK: u64 = 100_000_000;
/// Receivers that a failure names.
const NAMED_MAX: usize = 8;

/// The canary of a run. Times are `CLOCK_BOOTTIME` nanoseconds.
pub(super) struct Canary {
    every: u64,
    within: u64,
    due: u64,
    look: u64,
    flight: Option<Flight>,
    /// How its process ended.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
    record: snapshot::Canary,
}

impl Canary {
    /// None: it is not wanted.
    pub(super) fn new(settings: &CanarySettings, now: u64) -> Option<Self> {
        let every = settings.every?;
        let failed = Stage::ALL.iter().map(|stage| Count::new(stage.name(), 0)).collect();
        let (every_s, within_s) = (every.as_secs(), settings.within.as_secs());
        Some(Self {
            every: nanoseconds(every),
            within: nanoseconds(settings.within),
            due: now.saturating_add(FIRST),
            look: 0,
            flight: None,
            ended: None,
            record: snapshot::Canary { every_s, within_s, failed, ..snapshot::Canary::default() },
        })
    }

    /// How it stands.
    pub(super) fn record(&self) -> snapshot::Canary {
        self.record.clone()
    }

    /// A program started.
    pub(super) fn see(&mut self, arguments: &[String]) {
        if let Some(flight) = &mut self.flight {
            flight.see(arguments);
        }
    }

    /// An account is about to be told: of the canary's the arrival is watched.
    pub(super) fn meet(&mut self, account: &Account, reporter: &Reporter) {
        let is_of_rule = account.evidence.iter().any(|proof| proof.rule == RULE_ID);
        if let Some(flight) = &mut self.flight
            && is_of_rule
            && flight.is_alert(account.process.command_line())
        {
            let number = reporter.last_sequence() + 1;
            reporter.sinks().watch(number);
            flight.told(number);
        }
    }

    /// Starts one if it is time, else looks at how far the last one is. Returns what is to be told.
    pub(super) fn step(&mut self, now: u64, reporter: &Reporter) -> Option<CanaryReport> {
        if now < self.look {
            return None;
        }
        self.look = now.saturating_add(LOOK);
        if now >= self.due {
            self.due = now.saturating_add(self.every);
            let nonce = Uuid::new_v4().to_string();
            self.ended = Some(start(&nonce));
            self.flight = Some(Flight::begin(nonce, now));
            return None;
        }
        let flight = self.flight.as_mut()?;
        let failure = self.ended.as_mut().and_then(|ended| ended.try_recv().ok()).and_then(Result::err);
        if let Some(error) = failure {
            let step = flight.end();
            return self.conclude(step, vec![bounded(&error.to_string())]);
        }
        if flight.is_over() {
            return None;
        }
        let receivers = reporter.sinks().arrivals();
        let step = flight.look(now, self.within, &receivers);
        let missing = receivers.iter().filter(|(_, has_it)| !has_it).take(NAMED_MAX);
        let missing = match step {
            Step::Failed(Stage::Delivery) => missing.map(|(name, _)| bounded(name)).collect(),
            Step::Failed(_) | Step::Passed | Step::Nothing => Vec::new(),
        };
        self.conclude(step, missing)
    }

    fn conclude(&mut self, step: Step, details: Vec<String>) -> Option<CanaryReport> {
        let was_well = self.record.is_well;
        match step {
            Step::Nothing => None,
            Step::Passed => {
                self.record.passed += 1;
                (self.record.is_well, self.record.failure) = (Some(true), None);
                self.record.passed_at = Some(Timestamp::now());
                self.record.sinks = self.arrivals();
                let took = self.record.sinks.iter().filter_map(|arrival| arrival.took_ms).max().unwrap_or(0);
                info!(milliseconds = took, "the delivery canary came through");
                (was_well == Some(false)).then_some(CanaryReport::Well { took })
            }
            Step::Failed(stage) => {
                if let Some(count) = self.record.failed.iter_mut().find(|count| count.name == stage.name()) {
                    count.count += 1;
                }
                (self.record.is_well, self.record.failure) = (Some(false), Some(reason(stage, &details)));
                self.record.sinks = self.arrivals();
                let waited = if stage == Stage::Start { 0 } else { self.within / 1_000_000 };
                (was_well != Some(false)).then_some(CanaryReport::Failed { stage, details, waited })
            }
        }
    }

    fn arrivals(&self) -> Vec<Arrival> {
        let arrivals = self.flight.iter().flat_map(Flight::arrivals);
        let arrival = |(sink, took): &(String, Option<u64>)| Arrival {
            sink: bounded(sink),
            took_ms: took.map(|took| took / 1_000_000),
        };
        arrivals.map(arrival).collect()
    }
}

impl Agent {
    /// The canary's part of a turn.
    pub(super) fn fly(&mut self, now: u64) {
        let Some(canary) = &mut self.canary else { return };
        if let Some(report) = canary.step(now, &self.reporter) {
            self.reporter.notice(Subject::Canary(report));
        }
    }
}

/// Starts the process beside the loop; tells how it ended.
fn start(nonce: &str) -> oneshot::Receiver<io::Result<()>> {
    let (tell, ended) = oneshot::channel();
    let nonce = nonce.to_owned();
    tokio::task::spawn_blocking(move || {
        // The agent may have ended meanwhile, and nobody asks.
        let _ = tell.send(keeper::canary(&nonce));
    });
    ended
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn canary() -> Canary {
        let settings = CanarySettings { every: Some(600 * SECOND), within: 2 * SECOND };
        let mut canary = Canary::new(&settings, 0).unwrap();
        canary.flight = Some(Flight::begin("a-number".to_owned(), 0));
        canary
    }

    #[test]
    fn it_is_off_unless_it_is_asked_for() {
        assert!(Canary::new(&CanarySettings::default(), 0).is_none());
    }

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let mut canary = canary();
        assert_eq!(canary.conclude(Step::Passed, Vec::new()), None, "as it should be");
        let missing = vec!["file /a".to_owned()];
        let told = canary.conclude(Step::Failed(Stage::Delivery), missing.clone());
        let expected =
            CanaryReport::Failed { stage: Stage::Delivery, details: missing.clone(), waited: 2_000 };
        assert_eq!(told, Some(expected));
        assert_eq!(canary.conclude(Step::Failed(Stage::Delivery), missing), None, "it is known");
        let record = canary.record();
        assert_eq!(record.failure.as_deref(), Some("its alert was not confirmed by file /a"));
        assert_eq!((record.passed, record.failed[3].count, record.is_well), (1, 2, Some(false)));
        assert_eq!(canary.conclude(Step::Passed, Vec::new()), Some(CanaryReport::Well { took: 0 }));
        assert_eq!(canary.record().is_well, Some(true));
    }
}
