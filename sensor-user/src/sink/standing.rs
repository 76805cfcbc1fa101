//! How each sink stands, for whoever asks.

use jiff::Timestamp;

use super::{Receiver, SinkSet};
use crate::outbox::{Fill, Outbox};

/// One sink at one moment; counts are since the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStanding {
    pub name: String,
    /// It reads from the outbox, and its receiver confirms.
    pub is_kept: bool,
    pub receiver: Receiver,
    /// Messages meant for it.
    pub accepted: u64,
    /// Messages that its receiver has, as far as the transport tells, and when the last one came to it.
    pub delivered: u64,
    pub delivered_at: Option<Timestamp>,
    /// Messages neither delivered nor lost, and since when the oldest waits. Of an outbox also those of earlier runs.
    pub outstanding: u64,
    pub oldest: Option<Timestamp>,
}

impl SinkSet {
    /// How each sink stands.
    #[must_use]
    pub fn standings(&self) -> Vec<SinkStanding> {
        let given = self.fill().map_or(0, |fill| fill.given);
        let mut kept = self.outbox.iter().flat_map(Outbox::accounts);
        let standing = |lane: &super::Lane| {
            let (name, receiver) = (lane.name.clone(), lane.tally.receiver());
            if lane.queue.is_none() {
                let account = kept.next().unwrap_or_default();
                return SinkStanding {
                    name,
                    receiver,
                    is_kept: true,
                    accepted: given,
                    delivered: account.delivered,
                    delivered_at: account.confirmed_at,
                    outstanding: account.backlog,
                    oldest: account.oldest,
                };
            }
            let (accepted, delivered, delivered_at) = lane.tally.deliveries();
            let outstanding = lane.tally.outstanding();
            SinkStanding {
                name,
                receiver,
                accepted,
                delivered,
                delivered_at,
                outstanding,
                ..SinkStanding::default()
            }
        };
        self.lanes.iter().map(standing).collect()
    }

    /// How full the outbox is; none: no sink reads from one.
    #[must_use]
    pub fn fill(&self) -> Option<Fill> {
        self.outbox.as_ref().map(Outbox::fill)
    }

    /// Asks for the arrival of the message of this number, which is to come; of one at a time.
    pub fn watch(&self, sequence: u64) {
        self.outbox.iter().for_each(|outbox| outbox.watch(sequence));
    }

    /// Every sink whose receiver confirms, and whether it has confirmed the message that is watched.
    #[must_use]
    pub fn arrivals(&self) -> Vec<(&str, bool)> {
        let names = self.lanes.iter().filter(|lane| lane.queue.is_none()).map(|lane| lane.name.as_str());
        names.zip(self.outbox.iter().flat_map(Outbox::arrivals)).collect()
    }
}
