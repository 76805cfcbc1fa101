//! The whole flow, from start to stop: named steps, then one loop in one task.
//!
//! Records leave the ring, pass the pipeline and become messages here, in the order in which the
//! kernel made them. What waits on the world (sinks, runtimes' files) runs beside and answers by
//! channel. Rules are read before anything is attached: a broken one starts nothing.

mod purpose;
mod start;
mod facts;
mod flow;
mod report;
mod ledger;
mod lookup;
mod stranger;
mod rule;
mod watch;
mod guard;
mod suspect;
mod learn;
mod resource;
mod beat;
mod wait;
mod ask;
mod canary;
mod door;
mod confine;
mod count;
mod service;

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, trace, warn};

use purpose::Purpose;
pub use purpose::{events, learn, run};
pub use start::StartError;
pub(crate) use start::receivers;

use crate::alert::{Coverage, Loss, Stopped, Subject};
use crate::config::Config;
use crate::decode::{Body, DecodeError, Record, decode};
use crate::ebpf::load::Loaded;
use crate::host::resource::CgroupMeter;
use crate::keeper::{KeeperError, Link};
use crate::metric::{Budget, Metrics};
use crate::outbox::Opened;
use crate::pipeline::Pipeline;
use crate::rule::{Reader, RuleFiles};
use crate::source::kubernetes::{self, Prepared};
use crate::state::baseline::Learner;
use crate::state::flow::POLL;
use crate::state::pod::PodUpdate;
use crate::state::resource::RESOURCE_PERIOD;
use ask::Standing;
use beat::Beat;
use canary::Canary;
use confine::{Life, Needs};
use door::Doors;
use facts::Facts;
use flow::take_rows;
use guard::Guard;
use ledger::Bookkeeper;
use lookup::Lookups;
use report::Reporter;
use service::Service;
use wait::{asked, later, steady, told};

/// How often tables are swept and losses are told. A first loss is known within this time.
const SWEEP: Duration = Duration::from_secs(2);
/// How often memory that a busy time left free goes back to the kernel: a few milliseconds of work.
const TRIM: Duration = Duration::from_secs(30);
/// How long sinks may take to deliver what they hold when the agent ends.
const FLUSH: Duration = Duration::from_secs(2);
/// Said of a run that the kernel would not begin within another of the same program on the same CPU.
const SKIPPED: &str = "skipped by the kernel";

/// The whole flow, for one purpose; returns what was learned, if that was it.
async fn attend(
    config: Config,
    purpose: Purpose,
    shutdown: impl Future<Output = ()>,
) -> Result<Option<Learner>, StartError> {
    let started = Instant::now();
    let service = if matches!(purpose, Purpose::Judge) { Service::find() } else { Service::default() };
    start::tell_files(&config);
    let files = RuleFiles::new(&config);
    let rules = files.read()?;
    let is_judge = matches!(purpose, Purpose::Judge);
    // From here on SIGHUP does not end the sensor. Whoever reads the rules again begins with reading them.
    let _hangups = is_judge.then(|| signal(SignalKind::hangup()));
    let baseline = start::baseline(&config)?;
    if is_judge {
        receivers(&config.targets(false))?;
    }
    start::privilege()?;
    let layout = start::layout()?;
    let pods = kubernetes::prepare(&config.kubernetes)?;
    start::turns();
    let link = Link::start().map_err(StartError::Keeper)?;
    let mut loaded = crate::ebpf::load::load(&layout, &config.avoid, &config.capture)?;
    watch::begin(&mut loaded);
    // The hooks are attached: what starts from here on is in the ring, the rest is in /proc.
    let inventory = start::inventory()?;
    let processes = inventory.len();
    let (origin, mut kept) = start::origin(&config, &purpose);
    let mark = kept.as_mut().and_then(Opened::take_life);
    let doors = is_judge.then(|| Doors::open(&config, &origin));
    loaded.hooks.extend(confine::weakened());
    // Before any thread is started: what threads have is taken from each of them alone.
    let out = purpose.out();
    let life = confine::confine(link, &Needs { config: &config, kernel: &loaded, pods: pods.as_ref(), out })?;
    let pods = pods.map(Prepared::start).transpose()?;
    let reader = if is_judge { start::reader(files, &rules) } else { None };
    let mut pipeline = start::pipeline(rules, &config);
    pipeline.seed(inventory, facts::now());
    let reporter = match purpose {
        Purpose::Judge => start::reporter(&config, None, &origin, kept)?,
        Purpose::Show(selection) => start::reporter(&config, Some(selection), &origin, None)?,
        Purpose::Learn(_) => start::learning_reporter(&origin)?,
    };
    baseline.into_iter().for_each(|baseline| pipeline.set_baseline(baseline));
    if reporter.observes() {
        pipeline.observe();
        pipeline.measure();
    }
    let coverage = Coverage {
        kernel: start::kernel(),
        hooks: std::mem::take(&mut loaded.hooks),
        detections: pipeline.detections(),
        missing_offsets: layout.missing(),
        processes,
        containers: pipeline.containers.stats().known,
        start_milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let beat = Beat::new(started, &config, &coverage.hooks);
    let mut agent = Agent::new(&config, loaded, pipeline, reporter, beat);
    agent.standing = Standing::new(&origin, &coverage.hooks);
    agent.pods = pods;
    agent.reader = reader;
    agent.service = service;
    agent.doors = doors;
    agent.canary = is_judge.then(|| Canary::new(&config.canary, facts::now())).flatten();
    crate::ebpf::sys::trim_heap();
    agent.reporter.notice(Subject::Coverage(coverage));
    agent.begin_life(mark);
    agent.service.ready();
    let is_blind = agent.watch(shutdown, &life).await;
    let learner = agent.stop().await;
    life.end().await;
    if is_blind { Err(StartError::Keeper(KeeperError::Died)) } else { Ok(learner) }
}

/// The parts that the loop needs.
struct Agent {
    kernel: Loaded,
    pipeline: Pipeline,
    facts: Facts,
    reporter: Reporter,
    metrics: Metrics,
    budget: Budget,
    books: Bookkeeper,
    lookups: Lookups,
    /// Reads the rules again.
    reader: Option<Reader>,
    service: Service,
    /// What the Kubernetes API tells, where it is asked.
    pods: Option<mpsc::Receiver<PodUpdate>>,
    /// What fanotify told too early.
    waiting: watch::Waiting,
    /// Where `tidewaiter ps` and monitoring ask, and what they have asked.
    doors: Option<Doors>,
    standing: Standing,
    canary: Option<Canary>,
    meter: CgroupMeter,
    beat: Beat,
    guard: Guard,
    /// Reused in every turn, see [`Agent::turn`].
    exits: Vec<Record>,
}

impl Agent {
    fn new(config: &Config, kernel: Loaded, pipeline: Pipeline, reporter: Reporter, beat: Beat) -> Self {
        let mut budget = Budget::default();
        budget.begin(facts::now(), pipeline.costs().1);
        let meter = CgroupMeter::read(kernel.hierarchy.clone());
        Self {
            kernel,
            pipeline,
            facts: Facts::read(),
            reporter,
            metrics: Metrics::default(),
            budget,
            books: Bookkeeper::default(),
            lookups: Lookups::new(&config.containers),
            reader: None,
            service: Service::default(),
            pods: None,
            waiting: watch::Waiting::default(),
            doors: None,
            standing: Standing::default(),
            canary: None,
            meter,
            beat,
            guard: Guard::new(),
            exits: Vec::new(),
        }
    }

    /// The loop: until told to end. True: the keeper has ended before.
    async fn watch(&mut self, shutdown: impl Future<Output = ()>, life: &Life) -> bool {
        tokio::pin!(shutdown);
        let mut sweep = steady(SWEEP);
        let mut poll = steady(Duration::from_nanos(POLL));
        let mut measure = steady(Duration::from_nanos(RESOURCE_PERIOD));
        let mut trim = steady(TRIM);
        let mut beat = later(beat::PERIOD);
        loop {
            tokio::select! {
                () = &mut shutdown => return false,
                () = self.reporter.reader_gone() => return false,
                () = life.over() => return true,
                () = self.kernel.ring.ready() => {}
                answer = self.lookups.answer() => self.lookups.take(answer, &mut self.pipeline),
                Some(update) = told(&mut self.pods) => self.pipeline.containers.tell_pod(update, facts::now()),
                news = rule::read(&mut self.reader) => self.reload(news),
                Some(ask) = asked(&mut self.doors) => self.answer(ask),
                _ = sweep.tick() => self.sweep(false),
                _ = poll.tick() => self.poll(),
                _ = measure.tick() => self.measure(),
                _ = beat.tick() => self.beat(),
                () = self.service.due() => self.service.alive(),
                _ = trim.tick() => crate::ebpf::sys::trim_heap(),
            }
            self.turn();
            tokio::select! {
                () = &mut shutdown => return false,
                () = self.reporter.flush() => {}
            }
        }
    }

    /// One turn: everything that waits, in order, then what is due.
    ///
    /// Exits come last: what fanotify queued was done by processes that lived then, and whoever
    /// renamed a file and ended in the same turn must still be known when the rename is read.
    fn turn(&mut self) {
        let mut exits = std::mem::take(&mut self.exits);
        let mut is_silent = true;
        let Self { kernel, pipeline, facts, metrics, reporter, books, canary, guard, lookups, .. } = self;
        let Loaded { ring, flows, .. } = kernel;
        ring.drain(|bytes| {
            is_silent = false;
            match decode(bytes) {
                Ok(record) => {
                    // No text of it: the log is a way out as well.
                    trace!(time = record.time, pid = record.actor.pid, "record");
                    if let Body::Exit { .. } = record.body {
                        exits.push(record);
                        return;
                    }
                    if let Body::CgroupRemove(cgroup) = &record.body {
                        books.note_gone(cgroup.id, record.time);
                    }
                    if let (Some(canary), Body::Exec(exec)) = (&mut *canary, &record.body) {
                        canary.see(&exec.arguments);
                    }
                    guard.suspects.note(&record);
                    take_rows(flows, pipeline, &record);
                    let is_cgroup = matches!(record.body, Body::CgroupCreate(_));
                    pipeline.record(record, facts);
                    pipeline.observed().for_each(|event| reporter.event(&event));
                    if is_cgroup {
                        // Before what takes its time: its container may be gone by then.
                        lookups.look_out(pipeline, facts::now());
                    }
                }
                Err(error) => refuse(&error, metrics),
            }
        });
        lookups.ask(pipeline, facts::now());
        let ends = exits.iter().map(|exit| (exit.actor.pid, exit.time)).collect();
        let Self { kernel, pipeline, facts, metrics, waiting, .. } = self;
        is_silent &=
            !watch::turn(kernel, metrics, watch::Turn { pipeline, facts, waiting, ends, now: facts::now() });
        for exit in exits.drain(..) {
            take_rows(&mut self.kernel.flows, &mut self.pipeline, &exit);
            self.pipeline.record(exit, &mut self.facts);
        }
        self.observe();
        self.exits = exits;
        let now = facts::now();
        self.doors.iter().for_each(|doors| doors.pulse.turned(now));
        if !self.kernel.ring.has_more() {
            self.pipeline.settle(now, &mut self.facts);
        }
        self.lookups.ask(&mut self.pipeline, now);
        for account in self.pipeline.accounts(now) {
            if let Some(canary) = &mut self.canary {
                canary.meet(&account, &self.reporter);
            }
            self.reporter.alert(account);
        }
        self.kernel.pace(is_silent);
        self.fly(now);
    }

    /// Tells the events that did not come of one record: of an end, of what was due.
    fn observe(&mut self) {
        let Self { pipeline, reporter, .. } = self;
        pipeline.observed().for_each(|event| reporter.event(&event));
    }

    fn sweep(&mut self, is_last: bool) {
        if let Some(log) = &mut self.kernel.log {
            log.flush();
        }
        self.pipeline.sweep(facts::now());
        self.tell_pulse();
        self.standing.note_pace(facts::now(), self.pipeline.passed().events);
        learn::settle(&mut self.reporter, &self.pipeline);
        watch::sweep(&mut self.kernel, &self.pipeline, &mut self.facts);
        let mut losses = self.reporter.sink_losses();
        let dropped = [&self.pipeline.dropped()[..], &self.facts.dropped()].concat();
        self.metrics.late_matches = self.pipeline.late_matches();
        losses.extend(self.metrics.take_losses(&dropped));
        losses.extend(self.pipeline.undecided(facts::now(), is_last));
        let stalled = self.stalled();
        self.tell(stalled.into_iter().collect());
        if !is_last {
            losses.extend(self.look_after());
        }
        self.look_at_costs();
        let (lost, counted) = self.books.look(&mut self.kernel, &self.pipeline, is_last);
        losses.extend(lost);
        if !losses.is_empty() {
            self.reporter.notice(Subject::Loss(losses));
        }
        if !counted.is_empty() {
            self.reporter.notice(Subject::Aggregation(counted));
        }
    }

    /// Detaches everything, tells what was still gathering, lets the sinks deliver.
    async fn stop(mut self) -> Option<Learner> {
        self.service.ending();
        self.doors = None;
        // From here on nothing is added: what is read last is all there was.
        self.kernel.programs = None;
        self.kernel.watch.release();
        // Twice: what fanotify saw waits for a turn.
        self.turn();
        self.turn();
        while self.kernel.ring.has_more() {
            self.turn();
        }
        self.poll();
        self.pipeline.settle_all(facts::now(), &mut self.facts);
        self.observe();
        for account in self.pipeline.drain() {
            self.reporter.alert(account);
        }
        self.sweep(true);
        let learner = learn::finish(&mut self.reporter, &self.pipeline);
        let (alerts, passed, repeats) =
            (self.reporter.alerts(), self.pipeline.passed(), self.pipeline.repeats());
        let ledger = Bookkeeper::rows(&self.kernel);
        let (events, untaken_connections) = (passed.events, passed.untaken_connections);
        self.reporter.notice(Subject::Stopped(Stopped { alerts, events, untaken_connections, ledger }));
        let losses: Vec<Loss> = self.reporter.finish(FLUSH).await;
        self.guard.end();
        for Loss { what, count, reason, .. } in losses {
            warn!(what, count, reason, "not delivered before the end");
        }
        info!(alerts, ?passed, repeats, "stopped");
        learner
    }
}

fn refuse(error: &DecodeError, metrics: &mut Metrics) {
    metrics.refused_records += 1;
    if metrics.refused_records == 1 {
        warn!(%error, "a record of the kernel half makes no sense; counted, not guessed");
    }
}
