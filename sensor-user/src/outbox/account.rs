//! How it stands, for whoever asks: the folder, and each sink's way through the messages.

use jiff::Timestamp;

use super::{Kept, Outbox};

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// None: messages are in memory alone, and lost with the agent.
    pub folder: Option<Kept>,
    /// Bytes of messages that are in memory alone.
    pub unstored: u64,
    /// Messages given up for want of room since the start.
    pub evicted: u64,
    /// Messages given since the start.
    pub given: u64,
}

/// One sink's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneAccount {
    /// Messages that its receiver confirmed since the start, and when it did last.
    pub delivered: u64,
    pub confirmed_at: Option<Timestamp>,
    /// Messages that it has not, and since when the oldest of them waits.
    pub backlog: u64,
    pub oldest: Option<Timestamp>,
}

impl Outbox {
    /// How full it is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        let state = self.shared.state();
        let unstored = state.index.unstored() as u64;
        Fill { folder: state.kept, unstored, evicted: state.index.evicted, given: state.index.pushed }
    }

    /// The accounts of the sinks, in the order of those given to [`super::Opened::read`].
    #[must_use]
    pub fn accounts(&self) -> Vec<LaneAccount> {
        let state = self.shared.state();
        let account = |(at, lane): (usize, &super::Lane)| LaneAccount {
            delivered: lane.delivered,
            confirmed_at: lane.confirmed_at,
            backlog: state.index.backlog(at),
            oldest: state.index.oldest(at),
        };
        state.index.lanes.iter().enumerate().map(account).collect()
    }

    /// Asks for the arrival of the message of this number, which is to come; of one at a time.
    pub fn watch(&self, sequence: u64) {
        self.shared.state().index.watch(sequence);
    }

    /// Whether each sink's receiver has confirmed the message that is watched: this very one, not one after it.
    #[must_use]
    pub fn arrivals(&self) -> Vec<bool> {
        self.shared.state().index.lanes.iter().map(|lane| lane.has_watched).collect()
    }
}
