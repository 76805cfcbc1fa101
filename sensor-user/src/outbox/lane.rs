//! How far one sink is with its messages, and how it fared since the start.

use jiff::Timestamp;

use super::record::Range;

/// How far one sink is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The receiver has everything up to this.
    pub(super) confirmed: u64,
    /// The sink was given everything up to this.
    pub(super) handed: u64,
    /// It sent everything up to this a while ago, and nothing has gone wrong since.
    pub(super) sent: u64,
    /// Given up before it had them, since the last look.
    pub(super) evicted: u64,
    /// Found damaged, since the last look.
    pub(super) unreadable: u64,
    /// Sent, given up for want of room before it was sure that they arrived, and then the link broke: since the last look.
    pub(super) doubtful: u64,
    /// Messages that its receiver confirmed since the start, and when it did last.
    pub(super) delivered: u64,
    pub(super) confirmed_at: Option<Timestamp>,
    /// Its receiver confirmed the message that is watched ([`super::index::Index::watched`]), not only one after it.
    pub(super) has_watched: bool,
    /// Counted as confirmed for want of room, oldest first.
    presumed: Vec<Range>,
}

impl Lane {
    pub(super) fn new(confirmed: u64) -> Self {
        Self { confirmed, handed: confirmed, sent: confirmed, ..Self::default() }
    }

    /// The receiver has everything up to this number.
    pub(super) fn confirm(&mut self, last: u64) {
        self.confirmed = self.confirmed.max(last);
        self.presumed.retain(|range| range.last > last);
    }

    /// The link broke: what is not confirmed is given again, as far as it is kept.
    pub(super) fn rewind(&mut self) {
        (self.handed, self.sent) = (self.confirmed, self.confirmed);
        self.doubtful += self.presumed.drain(..).map(Range::count).sum::<u64>();
    }

    /// Counts what was sent as confirmed, early.
    pub(super) fn presume(&mut self, last: u64) {
        if self.confirmed < last {
            self.presumed.push(Range { first: self.confirmed + 1, last });
            self.confirmed = last;
        }
    }
}
