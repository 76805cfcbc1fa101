//! The proof of one detection: its technique must be told, its look-alike must not.

use std::collections::HashSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sigma::Level;
use tokio::sync::watch as channel;

use super::agent::Agent;
use super::container::{Container, Containers};
use super::report::{Benign, Outcome, Times};
use super::script::{End, Kind, Ran, Script};
use super::stage::Stage;
use super::watch::Alert;
use super::{ValidateError, error};
use crate::alert::Detection;
use crate::detection::Emulation;
use crate::state::phase::START_GRACE;

/// Longest wait for an alert after its script has ended. Within a second is usual; names that a runtime tells late
/// take five, and a machine at its limits is slow.
const ALERT_MAX: Duration = Duration::from_secs(15);

/// Longest wait for it at the receiver after that: a connection is made anew after ten seconds at most.
const RECEIVED_MAX: Duration = Duration::from_secs(20);

/// How often the receiver's log is looked at; its own notice would need a watch on a file that may be rotated.
const LOOK: Duration = Duration::from_millis(20);

/// A container is steady to the agent after [`START_GRACE`]; a second for what it learns late.
const STEADY: Duration = Duration::from_nanos(START_GRACE).saturating_add(Duration::from_secs(1));

/// Alerts that a reason names.
const NAMED_MAX: usize = 3;

/// A detection, its scripts and the rules it consists of.
#[derive(Clone, Debug)]
pub struct Subject {
    pub detection: Detection,
    pub emulation: Emulation,
    /// Their ids.
    pub rules: Vec<String>,
}

/// What all proofs share.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) stage: Arc<Stage>,
    pub(super) containers: Arc<Containers>,
    pub(super) agent: Arc<Agent>,
    pub(super) received: Option<PathBuf>,
    pub(super) holds_benign: bool,
    pub(super) interrupted: channel::Receiver<bool>,
}

/// Whose alerts count.
struct Scope {
    containers: Vec<String>,
    /// On this machine: the script that did it.
    pid: Option<u32>,
    /// Alerts from before.
    known: HashSet<String>,
}

impl Trial {
    /// Waits until a container is over its start.
    ///
    /// # Errors
    /// It was interrupted.
    pub(super) async fn await_steady(&self, container: &Container) -> Result<(), ValidateError> {
        let until = tokio::time::Instant::from_std(container.born + STEADY);
        error::unless_interrupted(&mut self.interrupted.clone(), tokio::time::sleep_until(until)).await
    }

    /// Proves one, in `shared` or in new containers.
    ///
    /// # Errors
    /// Nothing more can be proven.
    pub(super) async fn prove(
        &self,
        subject: &Subject,
        shared: Option<&Container>,
    ) -> Result<Outcome, ValidateError> {
        let benign = if self.holds_benign {
            self.within(subject, Kind::Benign, shared, async |script, place| {
                self.hold_silent(subject, script, place).await
            })
            .await?
        } else {
            Benign::Unasked
        };
        let (times, reason) = self
            .within(subject, Kind::Emulate, shared, async |script, place| {
                self.await_told(subject, script, place).await
            })
            .await?;
        Ok(Outcome { times, reason, benign })
    }

    /// Does something in a place for the script: the shared container, a new one, or this machine.
    async fn within<T>(
        &self,
        subject: &Subject,
        kind: Kind,
        shared: Option<&Container>,
        work: impl AsyncFnOnce(Script, &Container) -> Result<T, ValidateError>,
    ) -> Result<T, ValidateError> {
        let script = Script::of(&subject.emulation, kind);
        if script.is_for_host {
            return work(script, &Containers::host()).await;
        }
        if let Some(shared) = shared {
            // What the one before did is told first.
            self.agent.marker.set(shared, &self.agent.watch).await?;
            return work(script, shared).await;
        }
        let own = self.containers.make().await?;
        let outcome = work(script, &own).await;
        self.containers.remove(own).await?;
        outcome
    }

    /// Does the technique; gives the times of its alert, or why there is none.
    async fn await_told(
        &self,
        subject: &Subject,
        script: Script,
        container: &Container,
    ) -> Result<(Option<Times>, Option<Reason>), ValidateError> {
        let mut interrupted = self.interrupted.clone();
        let known = self.agent.watch.ids();
        let offset = self.received.as_deref().map(length).unwrap_or_default();
        let ran = script.run(&self.stage, container, &mut interrupted).await?;
        match &ran.end {
            End::Done => {}
            End::Lacks(what) => return Ok((None, Some(Reason::Lacks(what.clone())))),
            End::Failed(reason) => return Ok((None, Some(Reason::Failed(reason.clone())))),
        }
        let scope = Scope::new(container, &ran, known)?;
        let name = &subject.detection.name;
        let is_meant = |alert: &Alert| {
            let is_here = scope.pid.is_some() || alert.is_in(&scope.containers);
            scope.is_new(alert) && is_here && alert.is_of(name, &subject.rules)
        };
        let first = self.agent.watch.first(ALERT_MAX, is_meant);
        let Some(alert) = error::unless_interrupted(&mut interrupted, first).await?? else {
            return Ok((None, Some(Reason::Failed(self.silence(&scope)))));
        };
        let mut times = Times {
            after_start: alert.arrival.0.saturating_duration_since(ran.began.0),
            after_event: Duration::try_from(alert.arrival.1.duration_since(alert.time)).unwrap_or_default(),
            at_receiver: None,
        };
        if let Some(file) = &self.received {
            let awaited = await_line(file, offset, &alert.id);
            match error::unless_interrupted(&mut interrupted, awaited).await?? {
                Some(arrival) => times.at_receiver = Some(arrival.saturating_duration_since(ran.began.0)),
                None => {
                    let seconds = RECEIVED_MAX.as_secs();
                    let reason = format!("its alert {} was not at the receiver within {seconds} s", alert.id);
                    return Ok((Some(times), Some(Reason::Failed(reason))));
                }
            }
        }
        Ok((Some(times), None))
    }

    /// Why nothing came, as far as what did come tells.
    fn silence(&self, scope: &Scope) -> String {
        let others = self.agent.watch.select(|alert| scope.is_new(alert) && scope.has(alert));
        let seconds = ALERT_MAX.as_secs();
        format!(
            "emulate.sh did it, and no alert of this detection came within {seconds} s; {}",
            named(&others)
        )
    }

    /// Does the look-alike and looks what was told of it.
    async fn hold_silent(
        &self,
        subject: &Subject,
        script: Script,
        container: &Container,
    ) -> Result<Benign, ValidateError> {
        let mut interrupted = self.interrupted.clone();
        let known = self.agent.watch.ids();
        let ran = script.run(&self.stage, container, &mut interrupted).await?;
        match &ran.end {
            End::Done => {}
            End::Lacks(what) => return Ok(Benign::Lacks(what.clone())),
            End::Failed(reason) => return Ok(Benign::Failed(reason.clone())),
        }
        let marked = self.agent.marker.set(container, &self.agent.watch);
        error::unless_interrupted(&mut interrupted, marked).await??;
        let scope = Scope::new(container, &ran, known)?;
        let name = &subject.detection.name;
        let told = self.agent.watch.select(|alert| {
            scope.is_new(alert)
                && scope.has(alert)
                && !self.agent.marker.is_meant(&alert.command_line)
                && (alert.is_of(name, &subject.rules) || alert.level >= Level::Low)
        });
        Ok(if told.is_empty() { Benign::Silent } else { Benign::Told(named(&told)) })
    }
}

/// Why it is not proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be done here: this is missing.
    Lacks(String),
    Failed(String),
}

impl Scope {
    fn new(container: &Container, ran: &Ran, known: HashSet<String>) -> Result<Self, ValidateError> {
        let mut containers: Vec<String> = container.id.iter().cloned().collect();
        if let Some((_, ids)) = &container.spare {
            match std::fs::read_to_string(ids) {
                Ok(text) => containers.extend(text.lines().map(str::to_owned)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(ValidateError::File { path: ids.clone(), source: error }),
            }
        }
        let pid = container.id.is_none().then_some(ran.pid);
        Ok(Self { containers, pid, known })
    }

    fn is_new(&self, alert: &Alert) -> bool {
        !self.known.contains(&alert.id)
    }

    /// Whether it is surely of what the script did.
    fn has(&self, alert: &Alert) -> bool {
        alert.is_in(&self.containers) || self.pid.is_some_and(|pid| alert.descends_from(pid))
    }
}

/// `what came: low "Title"`.
fn named(alerts: &[Alert]) -> String {
    if alerts.is_empty() {
        return "nothing else came either".to_owned();
    }
    let each = alerts.iter().take(NAMED_MAX);
    let each: Vec<_> = each.map(|alert| format!("{} \"{}\"", alert.level, alert.title)).collect();
    let more = alerts.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("what came: {}{more}", each.join(", "))
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |about| about.len())
}

/// Waits until `word` stands in a file after `offset`; gives when it was seen.
async fn await_line(file: &Path, offset: u64, word: &str) -> Result<Option<Instant>, ValidateError> {
    let deadline = Instant::now() + RECEIVED_MAX;
    loop {
        let mut text = Vec::new();
        let read = std::fs::File::open(file).and_then(|mut log| {
            // A log that was cut is read from its beginning.
            let from = if length(file) < offset { 0 } else { offset };
            log.seek(SeekFrom::Start(from))?;
            log.read_to_end(&mut text)
        });
        read.map_err(ValidateError::file(file))?;
        if text.windows(word.len()).any(|part| part == word.as_bytes()) {
            return Ok(Some(Instant::now()));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}
