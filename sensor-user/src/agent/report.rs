//! Gives accounts, notices and events their numbers and dates, and hands them to the sinks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::facts;
use crate::alert::{Alert, Loss, Message, Notice, Subject};
use crate::event::Event;
use crate::sink::stream::END_MAX;
use crate::sink::{SinkSet, Stream};
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
    sequence: u64,
    alerts: u64,
    /// Number and id of the accounts told last.
    told: VecDeque<(u64, Uuid)>,
}

impl Reporter {
    pub(super) fn new(sinks: SinkSet, stream: Option<Stream>) -> Self {
        Self { sinks, stream, sequence: 0, alerts: 0, told: VecDeque::new() }
    }

    /// Sends an account on its way as an alert.
    pub(super) fn alert(&mut self, account: Account) {
        let time = date(account.time);
        let Account {
            number,
            is_amendment,
            process,
            ancestors,
            container,
            phase,
            user,
            steps,
            steps_omitted,
            bytes_omitted,
            correlation,
            ..
        } = account.clone();
        let Some((detection, related)) = account.into_detections() else { return };
        self.alerts += u64::from(!is_amendment);
        let alert = Alert {
            id: self.id(number),
            sequence: self.next(),
            is_amendment,
            time,
            level: detection.level,
            detection,
            correlation,
            related,
            pending: container.as_deref().map(pending).unwrap_or_default(),
            container,
            phase,
            process,
            ancestors,
            user,
            steps,
            steps_omitted,
            bytes_omitted,
        };
        self.sinks.deliver(&Arc::new(Message::Alert(Box::new(alert))));
    }

    /// Sends word about the sensor itself.
    pub(super) fn notice(&mut self, subject: Subject) {
        let notice = Notice { id: Uuid::now_v7(), sequence: self.next(), time: Timestamp::now(), subject };
        let message = Arc::new(Message::Notice(notice));
        if let Some(stream) = &mut self.stream {
            stream.message(&message);
        }
        self.sinks.deliver(&message);
    }

    /// Whether events are told at all.
    pub(super) fn observes(&self) -> bool {
        self.stream.is_some()
    }

    /// Tells an event, if somebody asked for such.
    pub(super) fn event(&mut self, event: &Event) {
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
        self.alerts
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

    /// The id of an account: an amendment finds the one it was told under.
    fn id(&mut self, number: u64) -> Uuid {
        if let Some((_, id)) = self.told.iter().rev().find(|(told, _)| *told == number) {
            return *id;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        let id = Uuid::now_v7();
        self.told.push_back((number, id));
        id
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
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
