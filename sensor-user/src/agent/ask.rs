//! What the agent answers: the live picture, what rules did, and how it stands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use tracing::debug;

use super::canary::Canary;
use super::{Agent, facts};
use crate::alert::{HookCoverage, LossSum};
use crate::control::Ask;
use crate::event::field::Category;
use crate::host::own;
use crate::metric::snapshot::{
    Alerts, Count, Events, Hook, Kind, Lost, Messages, Outbox, RULES_MAX, Records, Rule, Rules, Sink,
    Snapshot, bounded,
};
use crate::outbox::Fill;
use crate::pipeline::{Passed, Picture, RuleStat};
use crate::sink::{Origin, Receiver, SinkStanding};

/// Sweeps over which the pace of events is taken: ten seconds.
const PACE: usize = 5;

/// What does not come from the parts themselves.
#[derive(Default)]
pub(super) struct Standing {
    origin: Option<Arc<Origin>>,
    started: Timestamp,
    hooks: Vec<Hook>,
    /// Events at the last sweeps: when (`CLOCK_BOOTTIME`, nanoseconds), and how many so far.
    pace: VecDeque<(u64, u64)>,
}

impl Standing {
    pub(super) fn new(origin: &Arc<Origin>, hooks: &[HookCoverage]) -> Self {
        let hook = |hook: &HookCoverage| Hook {
            purpose: hook.purpose.to_owned(),
            attached: hook.attached.clone(),
            tier: hook.tier,
            weakens: hook.weakens.map(str::to_owned),
        };
        Self {
            origin: Some(Arc::clone(origin)),
            started: Timestamp::now(),
            hooks: hooks.iter().map(hook).collect(),
            ..Self::default()
        }
    }

    pub(super) fn note_pace(&mut self, now: u64, events: u64) {
        if self.pace.len() > PACE {
            self.pace.pop_front();
        }
        self.pace.push_back((now, events));
    }

    /// Events of late, and within how many milliseconds.
    fn lately(&self) -> (u64, u64) {
        let (Some(first), Some(last)) = (self.pace.front(), self.pace.back()) else { return (0, 0) };
        (last.1.saturating_sub(first.1), last.0.saturating_sub(first.0) / 1_000_000)
    }
}

impl Agent {
    /// Answers who asks at a door, who may have gone.
    pub(super) fn answer(&mut self, ask: Ask) {
        // Of what is in the ring, too.
        self.turn();
        match ask {
            Ask::Picture(reply) => _ = reply.send(self.picture()),
            Ask::Rules(reply) => _ = reply.send(self.pipeline.rule_stats(facts::now())),
            Ask::Suppressed(reply) => _ = reply.send((facts::now(), self.pipeline.suppressed())),
            Ask::Snapshot(reply) => _ = reply.send(Box::new(self.snapshot())),
        }
    }

    /// Tells probes how the hooks are.
    pub(super) fn tell_pulse(&self) {
        let Some(doors) = &self.doors else { return };
        let attached = self.standing.hooks.iter().filter(|hook| hook.attached.is_some()).count();
        doors.pulse.attached.store(attached as u64, Ordering::Relaxed);
        doors.pulse.blind.store(self.kernel.watch.broken_links() as u64, Ordering::Relaxed);
    }

    /// The picture of now, with how far connections are.
    fn picture(&mut self) -> Picture {
        let began = Instant::now();
        let now = facts::now();
        self.pipeline.refresh(now, &self.kernel.flows.read());
        let picture = self.pipeline.picture(now);
        let (processes, connections) = (picture.processes.len(), picture.connections.len());
        debug!(processes, connections, took = ?began.elapsed(), "picture taken");
        picture
    }

    /// How it stands now. Some hundred short reads of the kernel's maps, and copies of short texts.
    fn snapshot(&self) -> Snapshot {
        let passed = self.pipeline.passed();
        let (lately, lately_ms) = self.standing.lately();
        let category = |(category, count): (&Category, u64)| Count::new(category.name(), count);
        let now = Timestamp::now();
        let mut snapshot = Snapshot {
            started: self.standing.started,
            now,
            uptime_ms: milliseconds(self.beat.started.elapsed()),
            cpu_ms: own::cpu_milliseconds(),
            resident_bytes: own::resident_bytes(),
            configuration: self.beat.digest(self.pipeline.costs().0),
            hooks: self.standing.hooks.clone(),
            detached: self.reporter.sums().detached,
            blind: self.kernel.watch.broken_links() as u64,
            records: self.records(&passed),
            events: Events {
                total: passed.events,
                categories: Category::ALL.iter().zip(passed.by_category).map(category).collect(),
                without_process: passed.unknown_process,
                lately,
                lately_ms,
            },
            losses: self.reporter.sums().losses.iter().map(lost).collect(),
            tables: self.pipeline.tables().map(|(name, count)| Count::new(name, count)).to_vec(),
            evicted: self.evicted(),
            rules: self.rules(&passed),
            alerts: self.alerts(),
            messages: self.messages(),
            sinks: self.sinks(now),
            outbox: self.reporter.sinks().fill().map(outbox),
            canary: self.canary.as_ref().map(Canary::record),
            ..Snapshot::default()
        };
        if let Some(origin) = &self.standing.origin {
            snapshot.version = origin.version.to_owned();
            snapshot.pid = origin.pid;
            snapshot.agent_id = origin.agent_id.to_string();
            snapshot.hostname.clone_from(&origin.hostname);
            snapshot.kernel.clone_from(&origin.kernel);
        }
        snapshot
    }

    fn records(&self, passed: &Passed) -> Records {
        let kinds = self.kernel.ledger.read_all().unwrap_or_default().into_iter();
        let kind = |(kind, counter): (sensor_ebpf::wire::Kind, sensor_ebpf::wire::counter::Counter)| Kind {
            kind: kind.name().to_owned(),
            seen: counter.generated,
            delivered: counter.delivered,
            aggregated: counter.aggregated,
            filtered: counter.filtered,
            lost: counter.lost,
        };
        Records {
            kinds: kinds.map(kind).collect(),
            taken: passed.records,
            refused: self.metrics.refused_records,
        }
    }

    fn evicted(&self) -> Vec<Count> {
        let (dropped, facts) = (self.pipeline.dropped(), self.facts.dropped());
        dropped.iter().chain(&facts).map(|(what, count)| Count::new(what, *count)).collect()
    }

    fn rules(&self, passed: &Passed) -> Rules {
        let summary = self.pipeline.rule_summary(RULES_MAX);
        Rules {
            loaded: summary.loaded as u64,
            runs: summary.cost.runs,
            matches: summary.cost.matches,
            suppressed: summary.cost.suppressed,
            pending: passed.pending,
            late: self.pipeline.late_matches(),
            time_ns: summary.cost.time,
            reading_ns: summary.reading.time,
            by_matches: summary.by_matches.iter().map(rule).collect(),
            by_time: summary.by_time.iter().map(rule).collect(),
        }
    }

    fn alerts(&self) -> Alerts {
        let counts = self.reporter.counts();
        Alerts { levels: counts.levels(), rules: counts.rules().to_vec(), repeats: self.pipeline.repeats() }
    }

    fn messages(&self) -> Messages {
        let counts = self.reporter.counts();
        Messages {
            told: counts.messages,
            last_sequence: self.reporter.last_sequence(),
            heartbeat_sequence: counts.heartbeat.map_or(0, |(sequence, _)| sequence),
            heartbeat_at: counts.heartbeat.map(|(_, time)| time),
        }
    }

    fn sinks(&self, now: Timestamp) -> Vec<Sink> {
        let losses = &self.reporter.sums().losses;
        let standings = self.reporter.sinks().standings();
        standings.into_iter().map(|standing| sink(standing, losses, now)).collect()
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lost(sum: &LossSum) -> Lost {
    Lost { what: bounded(&sum.what), reason: bounded(sum.reason), count: sum.count }
}

fn rule(stat: &RuleStat) -> Rule {
    Rule {
        id: bounded(&stat.id),
        title: bounded(&stat.title),
        level: stat.level.name().to_owned(),
        count: stat.cost.matches,
        time_ns: stat.cost.time,
    }
}

fn sink(standing: SinkStanding, losses: &[LossSum], now: Timestamp) -> Sink {
    let (is_up, since, reason) = match standing.receiver {
        Receiver::Unknown => (None, None, None),
        Receiver::Up { since } => (Some(true), Some(since), None),
        Receiver::Away { since, reason } => (Some(false), Some(since), Some(bounded(&reason))),
    };
    let own = losses.iter().filter(|sum| sum.what == standing.name);
    let waits = |since: Timestamp| u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0);
    Sink {
        losses: own.map(|sum| Count::new(sum.reason, sum.count)).collect(),
        name: bounded(&standing.name),
        is_kept: standing.is_kept,
        is_up,
        since,
        reason,
        accepted: standing.accepted,
        delivered: standing.delivered,
        backlog: standing.outstanding,
        oldest_ms: standing.oldest.map(waits),
        delivered_at: standing.delivered_at,
    }
}

fn outbox(fill: Fill) -> Outbox {
    let folder = fill.folder.unwrap_or_default();
    Outbox {
        is_on_disk: fill.folder.is_some_and(|folder| !folder.is_refused),
        has_folder: fill.folder.is_some(),
        bytes: folder.bytes,
        limit_bytes: folder.bound,
        memory_bytes: fill.unstored,
        evicted: fill.evicted,
    }
}
