//! `tidewaiter validate`: proves detections on the machine they are to work on.
//!
//! A container is made, an agent of its own watches, the detection's `emulate.sh` does the technique in the
//! container and the alert must come; `benign.sh` does the look-alike and nothing may come. All that is made lies in
//! one private directory or carries one name, and is taken away again. What it did not make it does not touch.

mod error;
mod command;
mod stage;
mod runtime;
mod container;
mod bundle;
mod root;
mod watch;
mod agent;
mod script;
mod trial;
mod marker;
pub mod report;

pub use error::ValidateError;
pub use runtime::Runtime;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Mutex, mpsc, watch as channel};
use tokio::task::JoinSet;

use crate::detection::Emulation;
use crate::pipeline::UNDECIDED;
use agent::Agent;
use container::{Container, Containers};
use report::{Outcome, Proof};
use script::{Kind, Script};
use stage::Stage;
use trial::{Subject, Trial};

/// What is to be proven, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Detections, in the order in which they are told.
    pub subjects: Vec<Subject>,
    /// Which runtime; none: the first that answers.
    pub runtime: Option<Runtime>,
    /// An image that is there; none: one of this machine's own tools.
    pub image: Option<String>,
    /// Where runc and crun are to keep their state, so that the agent finds it; none: where they do by themselves.
    pub state: Option<PathBuf>,
    /// Containers at work at once.
    pub jobs: usize,
    /// Whether look-alikes are held to be silent as well.
    pub benign: bool,
    /// What the agent is started with besides its own.
    pub agent: Vec<std::ffi::OsString>,
    /// The log of a receiver that the agent forwards to.
    pub received: Option<PathBuf>,
}

/// Something that the agent told as lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// Kind of record, or what was not decided.
    pub what: String,
    pub reason: String,
}

/// How often each was told.
pub type Losses = BTreeMap<Loss, u64>;

impl Loss {
    /// Whether a record was lost. Else a match was left undecided, as it is in a container that no runtime knows:
    /// some emulations make such a one.
    fn is_record(&self) -> bool {
        !self.reason.starts_with(UNDECIDED)
    }
}

/// How it went, as far as it went.
#[derive(Debug)]
pub struct Report {
    /// In the order of the request.
    pub proofs: Vec<Proof>,
    /// Which runtime it was.
    pub runtime: Runtime,
    /// What was lost meanwhile: with it silence proves less.
    pub losses: Losses,
    pub seconds: f32,
}

/// Proves all of it, and takes away what it made, whatever happened.
///
/// `tell` is given each proof as it comes, `interrupted` turns true when it is to end.
///
/// # Errors
/// It cannot be done on this machine at all, or it was interrupted.
pub async fn validate(
    request: Request,
    interrupted: channel::Receiver<bool>,
    tell: impl FnMut(&Proof),
) -> Result<Report, ValidateError> {
    let began = Instant::now();
    error::ensure_undirected()?;
    if !rustix::process::geteuid().is_root() {
        return Err(ValidateError::NotRoot);
    }
    command::ensure(&[("nsenter", "util-linux"), ("ip", "iproute2"), ("python3", "python3")])?;
    let stage = Arc::new(Stage::make()?);
    let containers = Containers::prepare(Arc::clone(&stage), &request).await?;
    let containers = Arc::new(containers);
    let outcome = prove_all(&request, &stage, &containers, interrupted, tell).await;
    let cleared = containers.clear().await;
    let removed = stage.remove();
    let (proofs, losses) = outcome?;
    cleared?;
    removed?;
    let seconds = began.elapsed().as_secs_f32();
    Ok(Report { proofs, runtime: containers.runtime(), losses, seconds })
}

/// What one worker has to do.
struct Order {
    index: usize,
    subject: Subject,
}

/// With an agent of its own; it ends in here.
async fn prove_all(
    request: &Request,
    stage: &Arc<Stage>,
    containers: &Arc<Containers>,
    interrupted: channel::Receiver<bool>,
    mut tell: impl FnMut(&Proof),
) -> Result<(Vec<Proof>, Losses), ValidateError> {
    let agent = Arc::new(Agent::start(stage, &request.agent, interrupted.clone()).await?);
    let trial = Arc::new(Trial {
        stage: Arc::clone(stage),
        containers: Arc::clone(containers),
        agent: Arc::clone(&agent),
        received: request.received.clone(),
        holds_benign: request.benign,
        interrupted: interrupted.clone(),
    });
    let orders = request.subjects.iter().cloned().enumerate();
    let (mut steady, mut fresh): (Vec<_>, Vec<_>) = orders
        .map(|(index, subject)| Order { index, subject })
        .partition(|order| order.subject.wants_steady());
    // The oldest container there is: it is steady by the time its turn comes.
    let old = if steady.is_empty() { None } else { Some(containers.make().await?) };
    fresh.reverse();
    steady.reverse();
    let fresh = Arc::new(Mutex::new(fresh));
    let (sender, mut proofs) = mpsc::unbounded_channel();
    let mut workers = JoinSet::new();
    for _ in 0..request.jobs.max(1) {
        let (trial, fresh, sender) = (Arc::clone(&trial), Arc::clone(&fresh), sender.clone());
        workers.spawn(async move {
            while let Some(order) = { fresh.lock().await.pop() } {
                let outcome = trial.prove(&order.subject, None).await;
                if sender.send((order.index, order.subject, outcome)).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut found: Vec<(usize, Proof)> = Vec::new();
    let mut failure = None;
    while let Some((index, subject, outcome)) = proofs.recv().await {
        match outcome {
            Ok(outcome) => note(&mut found, index, subject, outcome, &mut tell),
            Err(error) => {
                fresh.lock().await.clear();
                failure.get_or_insert(error);
            }
        }
    }
    while workers.join_next().await.is_some() {}
    if let Some(old) = old.filter(|_| failure.is_none()) {
        failure = prove_steady(&trial, steady, &old, &mut found, &mut tell).await.err();
        containers.remove(old).await?;
    }
    let losses = agent.end().await?;
    if let Some(error) = failure {
        return Err(error);
    }
    found.sort_by_key(|(index, _)| *index);
    Ok((found.into_iter().map(|(_, proof)| proof).collect(), losses))
}

/// One after the other, in a container that is over its start.
async fn prove_steady(
    trial: &Trial,
    mut orders: Vec<Order>,
    container: &Container,
    found: &mut Vec<(usize, Proof)>,
    tell: &mut impl FnMut(&Proof),
) -> Result<(), ValidateError> {
    trial.await_steady(container).await?;
    while let Some(order) = orders.pop() {
        let outcome = trial.prove(&order.subject, Some(container)).await?;
        note(found, order.index, order.subject, outcome, tell);
    }
    Ok(())
}

fn note(
    found: &mut Vec<(usize, Proof)>,
    index: usize,
    subject: Subject,
    outcome: Outcome,
    tell: &mut impl FnMut(&Proof),
) {
    let proof = Proof { detection: subject.detection, outcome };
    tell(&proof);
    found.push((index, proof));
}

impl Subject {
    /// Whether one of its scripts wants a container that is over its start.
    fn wants_steady(&self) -> bool {
        [Kind::Emulate, Kind::Benign].into_iter().any(|kind| Script::of(&self.emulation, kind).wants_steady)
    }

    /// A detection of the binary with its scripts.
    #[must_use]
    pub fn new(detection: crate::alert::Detection, emulation: Emulation, rules: Vec<String>) -> Self {
        Self { detection, emulation, rules }
    }
}
