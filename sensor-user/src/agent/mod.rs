//! The whole flow, from start to stop: named steps, then one loop in one task.
//!
//! Records leave the ring, pass the pipeline and become messages here, in the order in which the
//! kernel made them. What waits on the world (sinks, runtimes' files) runs beside and answers by
//! channel. Rules are read before anything is attached: a broken one starts nothing.

mod start;
mod facts;
mod report;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, trace, warn};

pub use start::StartError;

use crate::alert::{Coverage, Loss, Subject};
use crate::config::Config;
use crate::decode::{Body, Record, decode};
use crate::ebpf::load::Loaded;
use crate::ebpf::ring::TICK;
use crate::host::container::ContainerSource;
use crate::metric::Metrics;
use crate::pipeline::Pipeline;
use crate::sink::SinkSet;
use crate::state::container::{CgroupIdentity, Container};
use facts::Facts;
use report::Reporter;

/// How often tables are swept and losses are told. A first loss is known within this time.
const SWEEP: Duration = Duration::from_secs(2);
/// How long sinks may take to deliver what they hold when the agent ends.
const FLUSH: Duration = Duration::from_secs(2);
/// Questions to the runtimes' files that may be open at once; further ones are asked at their next
/// turn in the container table's schedule.
const LOOKUPS_MAX: usize = 64;

/// Runs the sensor until `shutdown` resolves or nobody reads its output any more.
///
/// # Errors
/// [`StartError`] says what is missing and what to do. Once it runs, it does not fail.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    let started = Instant::now();
    let rules = start::rules(&config)?;
    start::privilege()?;
    let layout = start::layout()?;
    let mut loaded = crate::ebpf::load::load(&layout, &config.avoid, &config.capture)?;
    watch::begin(&mut loaded);
    // The hooks are attached: what starts from here on is in the ring, the rest is in /proc.
    let inventory = start::inventory()?;
    let processes = inventory.len();
    let now = facts::now();
    let mut pipeline = start::pipeline(rules, &config);
    pipeline.seed(inventory, now);
    let sinks = start::sinks(&config)?;
    let coverage = Coverage {
        kernel: start::kernel(),
        hooks: std::mem::take(&mut loaded.hooks),
        detections: pipeline.detections(),
        missing_offsets: layout.missing(),
        processes,
        containers: pipeline.containers.stats().known,
        start_milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let mut agent = Agent::new(&config, loaded, pipeline, sinks);
    crate::ebpf::sys::trim_heap();
    agent.reporter.notice(Subject::Coverage(coverage));
    agent.watch(shutdown).await;
    agent.stop().await;
    Ok(())
}

/// The parts that the loop needs.
struct Agent {
    kernel: Loaded,
    pipeline: Pipeline,
    facts: Facts,
    reporter: Reporter,
    metrics: Metrics,
    runtimes: Arc<ContainerSource>,
    answers: mpsc::Receiver<Answer>,
    asked: mpsc::Sender<Answer>,
    lookups: usize,
    /// What fanotify told too early.
    waiting: watch::Waiting,
    /// Reused in every turn, see [`Agent::turn`].
    exits: Vec<Record>,
}

/// What the runtimes' files said of a container.
struct Answer {
    id: String,
    container: Option<Container>,
}

impl Agent {
    fn new(config: &Config, kernel: Loaded, pipeline: Pipeline, sinks: SinkSet) -> Self {
        let (asked, answers) = mpsc::channel(LOOKUPS_MAX);
        Self {
            kernel,
            pipeline,
            facts: Facts::read(),
            reporter: Reporter::new(sinks),
            metrics: Metrics::default(),
            runtimes: Arc::new(ContainerSource::new(config.containers.clone())),
            answers,
            asked,
            lookups: 0,
            waiting: watch::Waiting::default(),
            exits: Vec::new(),
        }
    }

    /// The loop: until told to end.
    async fn watch(&mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut sweep = steady(SWEEP);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = self.reporter.reader_gone() => return,
                () = self.kernel.ring.ready() => {}
                Some(answer) = self.answers.recv() => self.named(answer),
                _ = sweep.tick() => self.sweep(),
            }
            self.turn();
        }
    }

    /// One turn: everything that waits, in order, then what is due.
    ///
    /// Exits come last: what fanotify queued was done by processes that lived then, and whoever
    /// renamed a file and ended in the same turn must still be known when the rename is read.
    fn turn(&mut self) {
        let mut exits = std::mem::take(&mut self.exits);
        let Self { kernel, pipeline, facts, metrics, .. } = self;
        kernel.ring.drain(|bytes| match decode(bytes) {
            Ok(record) => {
                trace!(?record);
                if matches!(record.body, Body::Exit { .. }) {
                    exits.push(record);
                } else {
                    pipeline.record(record, facts);
                }
            }
            Err(error) => {
                metrics.refused_records += 1;
                if metrics.refused_records == 1 {
                    warn!(%error, "a record of the kernel half makes no sense; counted, not guessed");
                }
            }
        });
        let ends = exits.iter().map(|exit| (exit.actor.pid, exit.time)).collect();
        let Self { kernel, pipeline, facts, metrics, waiting, .. } = self;
        watch::turn(kernel, metrics, watch::Turn { pipeline, facts, waiting, ends, now: facts::now() });
        for exit in exits.drain(..) {
            self.pipeline.record(exit, &mut self.facts);
        }
        self.exits = exits;
        let now = facts::now();
        self.ask(now);
        for account in self.pipeline.accounts(now) {
            self.reporter.alert(account);
        }
    }

    /// Asks the runtimes' files for names, beside the loop.
    fn ask(&mut self, now: u64) {
        for identity in self.pipeline.unnamed(now, LOOKUPS_MAX.saturating_sub(self.lookups)) {
            self.lookups += 1;
            let (runtimes, answers) = (Arc::clone(&self.runtimes), self.asked.clone());
            tokio::task::spawn_blocking(move || look_up(&runtimes, &identity, &answers));
        }
    }

    fn named(&mut self, answer: Answer) {
        self.lookups = self.lookups.saturating_sub(1);
        if let Some(container) = answer.container {
            self.pipeline.containers.complete(&answer.id, container);
        }
    }

    fn sweep(&mut self) {
        if let Some(log) = &mut self.kernel.log {
            log.flush();
        }
        self.pipeline.sweep(facts::now());
        watch::sweep(&mut self.kernel, &self.pipeline);
        let mut losses = self.reporter.sink_losses();
        losses.extend(self.metrics.take_losses(&self.kernel.ledger, &self.pipeline.dropped()));
        if !losses.is_empty() {
            self.reporter.notice(Subject::Loss(losses));
        }
    }

    /// Tells what was still gathering, detaches everything, lets the sinks deliver.
    async fn stop(mut self) {
        // Twice: what fanotify saw waits for a turn.
        self.turn();
        self.turn();
        for account in self.pipeline.drain() {
            self.reporter.alert(account);
        }
        self.sweep();
        let (alerts, passed, repeats) =
            (self.reporter.alerts(), self.pipeline.passed(), self.pipeline.repeats());
        self.reporter.notice(Subject::Stopped { alerts, events: passed.events });
        let losses: Vec<Loss> = self.reporter.finish(FLUSH).await;
        for Loss { what, count, reason } in losses {
            warn!(what, count, reason, "not delivered before the end");
        }
        info!(alerts, ?passed, repeats, "stopped");
    }
}

fn look_up(runtimes: &ContainerSource, identity: &CgroupIdentity, answers: &mpsc::Sender<Answer>) {
    let container = runtimes.lookup(identity).unwrap_or_else(|error| {
        warn!(container = identity.id, %error, "a container stays without its name");
        None
    });
    // The agent may have ended meanwhile; then nobody needs the answer.
    let _ = answers.blocking_send(Answer { id: identity.id.clone(), container });
}

fn steady(period: Duration) -> Interval {
    debug_assert!(period > TICK);
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
