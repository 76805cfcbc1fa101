//! The account of one sink: accepted = delivered + lost + outstanding, always.

use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

use super::state::{Receiver, State};
use crate::alert::Loss;

/// Why a sink did not deliver a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// It was too far behind.
    QueueFull,
    /// Its reader closed the other end.
    Closed,
    /// Writing failed for good.
    WriteFailed,
    /// Its receiver will not have it, now or later.
    Refused,
    /// The agent ended before it was sure to be delivered.
    Unconfirmed,
}

impl LossReason {
    const ALL: [Self; 5] =
        [Self::QueueFull, Self::Closed, Self::WriteFailed, Self::Refused, Self::Unconfirmed];

    /// In a few words, as [`Loss::reason`] has it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::QueueFull => "queue full",
            Self::Closed => "closed by its reader",
            Self::WriteFailed => "write failed",
            Self::Refused => "refused by its receiver",
            Self::Unconfirmed => "unconfirmed when the agent ended",
        }
    }
}

/// Counters of one sink, shared by the agent's end and the sink's.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: AtomicU64,
    /// Delivered or lost.
    settled: AtomicU64,
    queue_full: AtomicU64,
    closed: AtomicU64,
    write_failed: AtomicU64,
    refused: AtomicU64,
    unconfirmed: AtomicU64,
    delivered: AtomicU64,
    /// When the last was delivered, microseconds since 1970; 0: none was.
    delivered_at: AtomicI64,
    receiver: State,
}

// Relaxed throughout: each counter is read for its own value only, nothing is ordered by it.
impl Tally {
    /// A message was meant for this sink.
    pub(crate) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// `count` messages reached their receiver, as far as the transport can tell.
    pub(crate) fn deliver(&self, count: u64) {
        self.delivered.fetch_add(count, Ordering::Relaxed);
        self.delivered_at.store(Timestamp::now().as_microsecond(), Ordering::Relaxed);
        self.settled.fetch_add(count, Ordering::Relaxed);
    }

    /// `count` messages will never reach it.
    pub(crate) fn lose(&self, reason: LossReason, count: u64) {
        self.counter(reason).fetch_add(count, Ordering::Relaxed);
        self.settled.fetch_add(count, Ordering::Relaxed);
    }

    /// The receiver is there: a connection stands, or it took something. To be called as often as it shows.
    pub(crate) fn up(&self) {
        self.receiver.up();
    }

    /// The receiver cannot be reached or refuses. To be called at every failure, with its reason.
    pub(crate) fn away(&self, reason: &dyn Display) {
        self.receiver.away(reason);
    }

    /// How the receiver is.
    #[must_use]
    pub fn receiver(&self) -> Receiver {
        self.receiver.get()
    }

    /// Messages meant for a live sink, those that reached its receiver, and when the last did.
    #[must_use]
    pub fn deliveries(&self) -> (u64, u64, Option<Timestamp>) {
        let at = self.delivered_at.load(Ordering::Relaxed);
        let at = (at != 0).then(|| Timestamp::from_microsecond(at).ok()).flatten();
        (self.accepted.load(Ordering::Relaxed), self.delivered.load(Ordering::Relaxed), at)
    }

    /// Accepted and neither delivered nor lost yet.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed).saturating_sub(self.settled.load(Ordering::Relaxed))
    }

    /// The sink has ended: what is outstanding stays undelivered.
    pub(crate) fn lose_outstanding(&self) {
        self.lose(LossReason::Unconfirmed, self.outstanding());
    }

    /// Losses since the last call, one row a reason.
    pub(crate) fn take_losses(&self, name: &str) -> Vec<Loss> {
        LossReason::ALL
            .into_iter()
            .filter_map(|reason| {
                let count = self.counter(reason).swap(0, Ordering::Relaxed);
                (count > 0).then(|| Loss {
                    what: name.to_owned(),
                    count,
                    reason: reason.text(),
                    ..Loss::default()
                })
            })
            .collect()
    }

    fn counter(&self, reason: LossReason) -> &AtomicU64 {
        match reason {
            LossReason::QueueFull => &self.queue_full,
            LossReason::Closed => &self.closed,
            LossReason::WriteFailed => &self.write_failed,
            LossReason::Refused => &self.refused,
            LossReason::Unconfirmed => &self.unconfirmed,
        }
    }
}
