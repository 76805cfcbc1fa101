//! Gives accounts, notices and events their numbers and dates, and hands them to the sinks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use uuid::Uuid;

use super::beat::Sums;
use super::count::Counts;
use super::facts;
use crate::alert::{Alert, Backlog, Evidence, Loss, Message, Notice, StageReached, Story, Subject};
use crate::canary;
use crate::event::Event;
use crate::sink::stream::END_MAX;
use crate::sink::{SinkSet, Stream};
use crate::state::baseline::Learner;
use crate::state::container::Container;
use crate::story::Account;

/// Most accounts whose id is remembered for their amendment: as many as stories are open. Beyond it an
/// amendment comes under an id of its own.
const TOLD_MAX: usize = 4096;

/// The way out.
pub(super) struct Reporter {
    sinks: SinkSet,
    /// Where every event goes, if anybody wants to see them.
    stream: Option<Stream>,
    /// Who takes every event for normal, if that is asked for.
    learner: Option<Learner>,
    sequence: u64,
    counts: Counts,
    sums: Sums,
    /// The accounts told last, and number and id of their stories.
    told: VecDeque<Told>,
    stories: VecDeque<(u64, Uuid)>,
}

/// An account that was told.
struct Told {
    number: u64,
    id: Uuid,
    /// When it begins, `CLOCK_BOOTTIME` nanoseconds, and as a date: two readings of the clocks may differ by microseconds.
    boot_time: u64,
    date: Timestamp,
}

impl Reporter {
    pub(super) fn new(sinks: SinkSet, stream: Option<Stream>) -> Self {
        Self {
            sequence: sinks.last_sequence(),
            sinks,
            stream,
            learner: None,
            counts: Counts::default(),
            sums: Sums::default(),
            told: VecDeque::new(),
            stories: VecDeque::new(),
        }
    }

    /// Has every event taken for normal.
    pub(super) fn learn(&mut self) {
        self.learner = Some(Learner::new());
    }

    pub(super) fn learner(&mut self) -> Option<&mut Learner> {
        self.learner.as_mut()
    }

    pub(super) fn take_learner(&mut self) -> Option<Learner> {
        self.learner.take()
    }

    /// Sends an account on its way as an alert.
    pub(super) fn alert(&mut self, account: Account) {
        let (id, time) = self.id(account.number, account.time);
        let story = story(&account, self.story_id(account.story, id));
        let (level, correlation) = (account.level(), account.correlation().cloned());
        let Account { is_amendment, ref process, ref ancestors, ref user, phase, .. } = account;
        let (process, ancestors, user) = (Arc::clone(process), ancestors.clone(), user.clone());
        let (container, steps) = (account.container.clone(), account.steps.clone());
        let (steps_omitted, bytes_omitted) = (account.steps_omitted, account.bytes_omitted);
        let Some((detection, related)) = account.into_detections() else { return };
        let alert = Alert {
            id,
            sequence: self.next(),
            is_amendment,
            time,
            level,
            detection,
            correlation,
            related,
            story,
            pending: container.as_deref().map(pending).unwrap_or_default(),
            container,
            phase,
            process,
            ancestors,
            user,
            steps,
            steps_omitted,
            bytes_omitted,
            redacted: 0,
        };
        if !is_amendment && !canary::is_alone(&alert) {
            self.counts.alert(&alert.detection, level);
        }
        self.sinks.deliver(&Arc::new(Message::Alert(Box::new(alert))));
    }

    /// Sends word about the sensor itself.
    pub(super) fn notice(&mut self, subject: Subject) {
        if let (Some(_), Subject::Loss(losses)) = (&self.learner, &subject) {
            for Loss { what, count, reason, .. } in losses {
                warn!(what, count, reason, "lost while learning: the baseline lacks it");
            }
        }
        self.sums.note(&subject);
        let notice = Notice { id: Uuid::now_v7(), sequence: self.next(), time: Timestamp::now(), subject };
        self.counts.notice(&notice.subject, notice.sequence, notice.time);
        let message = Arc::new(Message::Notice(notice));
        if let Some(stream) = &mut self.stream {
            stream.message(&message);
        }
        self.sinks.deliver(&message);
    }

    /// Whether events are told at all.
    pub(super) fn observes(&self) -> bool {
        self.stream.is_some() || self.learner.is_some()
    }

    /// Tells an event, if somebody asked for such.
    pub(super) fn event(&mut self, event: &Event) {
        if let Some(learner) = &mut self.learner {
            learner.observe(event);
        }
        if self.stream.as_ref().is_some_and(|stream| stream.wants(event)) {
            let (time, sequence) = (date(event.time), self.next());
            if let Some(stream) = &mut self.stream {
                stream.event(event, time, sequence);
            }
        }
    }

    /// Writes the turn's events. Waits for their reader, however slow; the kernel half counts meanwhile what
    /// its ring does not hold.
    pub(super) async fn flush(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.flush().await;
        }
    }

    pub(super) fn alerts(&self) -> u64 {
        self.counts.alerts
    }

    /// How much of what was told so far.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The last number given.
    pub(super) fn last_sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn sinks(&self) -> &SinkSet {
        &self.sinks
    }

    /// What notices have told so far.
    pub(super) fn sums(&self) -> &Sums {
        &self.sums
    }

    /// How much each sink is behind.
    pub(super) fn outstanding(&self) -> Vec<Backlog> {
        let mut sinks = self.sinks.outstanding();
        sinks.extend(self.stream.iter().map(Stream::outstanding));
        sinks
    }

    pub(super) fn sink_losses(&self) -> Vec<Loss> {
        let mut losses = self.sinks.losses();
        losses.extend(self.stream.iter().flat_map(Stream::losses));
        losses
    }

    /// Resolves when nobody reads standard output any more.
    pub(super) async fn reader_gone(&self) {
        match &self.stream {
            Some(stream) => stream.reader_gone().await,
            None => self.sinks.reader_gone().await,
        }
    }

    /// Lets the sinks deliver what they hold, `deadline` long at most.
    pub(super) async fn finish(self, deadline: Duration) -> Vec<Loss> {
        let mut losses = self.sinks.flush(deadline).await;
        if let Some(stream) = self.stream {
            losses.extend(stream.finish(END_MAX).await);
        }
        losses
    }

    /// Id and date of an account: an amendment finds those it was told under, the date unless it begins earlier now.
    fn id(&mut self, number: u64, boot_time: u64) -> (Uuid, Timestamp) {
        if let Some(told) = self.told.iter_mut().rev().find(|told| told.number == number) {
            if told.boot_time != boot_time {
                (told.boot_time, told.date) = (boot_time, date(boot_time));
            }
            return (told.id, told.date);
        }
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        let told = Told { number, id: Uuid::now_v7(), boot_time, date: date(boot_time) };
        let known = (told.id, told.date);
        self.told.push_back(told);
        known
    }

    /// The id of a story: that of its first alert.
    fn story_id(&mut self, number: u64, first: Uuid) -> Uuid {
        if let Some((_, id)) = self.stories.iter().rev().find(|(told, _)| *told == number) {
            return *id;
        }
        if self.stories.len() >= TOLD_MAX {
            self.stories.pop_front();
        }
        self.stories.push_back((number, first));
        first
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.counts.messages += 1;
        self.sequence
    }
}

fn story(account: &Account, id: Uuid) -> Story {
    let since = |time: u64| time.saturating_sub(account.time);
    let stages = account
        .chain
        .links()
        .iter()
        .map(|link| StageReached { stage: link.stage, offset: since(link.first) });
    let evidence = account.evidence.iter().map(|proof| Evidence {
        rule: proof.rule.clone(),
        title: proof.title.clone(),
        level: proof.level,
        offset: since(proof.time),
        pid: proof.pid,
        count: proof.count,
        correlation: proof.correlation.clone(),
    });
    Story {
        id,
        alerts: account.alerts,
        stages: stages.collect(),
        level: account.chain_level(),
        evidence: evidence.collect(),
        participants: account.participants.clone(),
        participants_omitted: account.participants_omitted,
    }
}

/// What no runtime has told yet of a container, nor the Kubernetes API of its pod; once they are given up, nothing
/// more is awaited.
fn pending(container: &Container) -> Vec<&'static str> {
    let (is_asked, awaits_pod) = (container.is_asked(), container.awaits_pod);
    // That it is in a pod the cgroup's path tells, which pod its runtime.
    let lacks_pod = is_asked && container.pod_uid.is_some() && container.pod.is_none();
    let fields = [
        ("container.name", is_asked && container.name.is_none()),
        ("container.image.name", is_asked && container.image.is_none()),
        ("orchestrator.resource.name", lacks_pod),
        ("orchestrator.namespace", lacks_pod),
        ("orchestrator.resource.label", awaits_pod),
        ("orchestrator.resource.parent", awaits_pod),
    ];
    fields.into_iter().filter_map(|(field, is_missing)| is_missing.then_some(field)).collect()
}

/// A boot clock reading as a date, by both clocks as they stand now: a clock that was set since the
/// start shifts nothing.
pub(super) fn date(boot_time: u64) -> Timestamp {
    let ago = Duration::from_nanos(facts::now().saturating_sub(boot_time));
    let ago = SignedDuration::try_from(ago).unwrap_or_default();
    Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH)
}
