//! Gives accounts and notices their numbers and dates, and hands them to the sinks.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::facts;
use crate::alert::{Alert, Loss, Message, Notice, Subject};
use crate::sink::SinkSet;
use crate::state::container::Container;
use crate::story::Account;

/// The way out.
pub(super) struct Reporter {
    sinks: SinkSet,
    sequence: u64,
    alerts: u64,
}

impl Reporter {
    pub(super) fn new(sinks: SinkSet) -> Self {
        Self { sinks, sequence: 0, alerts: 0 }
    }

    /// Sends an account on its way as an alert.
    pub(super) fn alert(&mut self, account: Account) {
        let time = date(account.time);
        let Account { process, ancestors, container, user, steps, steps_omitted, .. } = account.clone();
        let Some((detection, related)) = account.into_detections() else { return };
        self.alerts += 1;
        let alert = Alert {
            id: Uuid::now_v7(),
            sequence: self.next(),
            time,
            level: detection.level,
            detection,
            related,
            pending: container.as_deref().map(pending).unwrap_or_default(),
            container,
            process,
            ancestors,
            user,
            steps,
            steps_omitted,
        };
        self.sinks.deliver(&Arc::new(Message::Alert(Box::new(alert))));
    }

    /// Sends word about the sensor itself.
    pub(super) fn notice(&mut self, subject: Subject) {
        let notice = Notice { id: Uuid::now_v7(), sequence: self.next(), time: Timestamp::now(), subject };
        self.sinks.deliver(&Arc::new(Message::Notice(notice)));
    }

    pub(super) fn alerts(&self) -> u64 {
        self.alerts
    }

    pub(super) fn sink_losses(&self) -> Vec<Loss> {
        self.sinks.losses()
    }

    /// Resolves when nobody reads standard output any more.
    pub(super) async fn reader_gone(&self) {
        self.sinks.reader_gone().await;
    }

    /// Lets the sinks deliver what they hold, `deadline` long at most.
    pub(super) async fn finish(self, deadline: Duration) -> Vec<Loss> {
        self.sinks.flush(deadline).await
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// What no runtime has told yet of a container.
fn pending(container: &Container) -> Vec<&'static str> {
    if container.verified {
        return Vec::new();
    }
    let fields =
        [("container.name", container.name.is_none()), ("container.image.name", container.image.is_none())];
    fields.into_iter().filter_map(|(field, is_missing)| is_missing.then_some(field)).collect()
}

/// A boot clock reading as a date, by both clocks as they stand now: a clock that was set since the
/// start shifts nothing.
fn date(boot_time: u64) -> Timestamp {
    let ago = Duration::from_nanos(facts::now().saturating_sub(boot_time));
    let ago = SignedDuration::try_from(ago).unwrap_or_default();
    Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH)
}
