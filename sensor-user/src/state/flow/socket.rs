//! One socket: whose it is, and what each process moved over it.

use sensor_ebpf::wire::flow::FlowKey;

use super::{Bytes, Direction, End, FlowState, Part};
use crate::state::process::ProcessKey;

/// Most shares of one socket. A name server's client has one for each server, a scan by one unconnected
/// socket is over after this many destinations as far as their byte counts go; further ones are counted.
pub(super) const SHARES_MAX: usize = 256;

/// A socket that somebody uses.
#[derive(Debug)]
pub(super) struct Socket {
    /// Who connected or accepted it; of an unconnected one, who sent last.
    pub owner: Option<ProcessKey>,
    /// The other end; none while it is not connected.
    pub end: Option<End>,
    pub direction: Direction,
    /// Part of a Multipath TCP connection, which tells its bytes as a whole.
    pub is_subflow: bool,
    pub shares: Vec<Share>,
    /// How it ended, while what others moved over it is awaited.
    pub ended: Option<Ended>,
    /// Tells it from another one at the same address in the kernel.
    pub number: u64,
    /// When the sensor first saw it, `CLOCK_BOOTTIME` nanoseconds.
    pub since: u64,
    /// When a record or a row told of it last, `CLOCK_BOOTTIME` nanoseconds.
    pub seen: u64,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub whole: Bytes,
    /// The errno of one that never came to be.
    pub failure: Option<u32>,
}

/// What one process moved over a socket, to one destination of it.
#[derive(Debug)]
pub(super) struct Share {
    pub process: ProcessKey,
    /// [`sensor_ebpf::wire::flow::FlowKey::digest`].
    pub digest: u32,
    pub end: End,
    /// Of rows that were taken out of the kernel's map.
    pub taken: Bytes,
    /// Of the row that is there.
    pub row: Bytes,
    pub told: Bytes,
    /// Of its own bytes, what was told by itself or with another share.
    pub counted: Bytes,
    pub is_over: bool,
    /// Its row has gone or will go, so a record behind those that were handled tells its bytes.
    pub is_awaited: bool,
    /// When a row with other numbers was seen, `CLOCK_BOOTTIME` nanoseconds.
    pub changed: u64,
}

impl Share {
    pub(super) fn total(&self) -> Bytes {
        self.taken.plus(self.row)
    }

    /// A row as it is now.
    pub(super) fn see(&mut self, row: Bytes, now: u64) {
        if row != self.row {
            if self.is_over {
                // It moves data again: that is told by itself.
                self.is_over = false;
                (self.taken, self.told, self.counted) = Default::default();
            }
            self.row = row;
            self.changed = now;
        }
    }

    /// Its row leaves the kernel's map: what comes later is counted from zero.
    pub(super) fn take_row(&mut self) {
        self.taken = self.total();
        self.row = Bytes::default();
    }
}

impl Socket {
    /// The share of a process and destination, made when it is missing; none when there are too many.
    pub(super) fn share(&mut self, process: ProcessKey, digest: u32, end: End) -> Option<&mut Share> {
        let known = self.shares.iter().position(|share| share.process == process && share.digest == digest);
        if known.is_none() && self.shares.len() >= SHARES_MAX {
            // Of a connection they are needed at its end, to know what is the owner's.
            self.shares.retain(|share| !share.is_over || share.digest == 0);
        }
        let index = match known {
            Some(index) => index,
            None if self.shares.len() >= SHARES_MAX => return None,
            None => {
                self.shares.push(Share {
                    process,
                    digest,
                    end,
                    taken: Bytes::default(),
                    row: Bytes::default(),
                    told: Bytes::default(),
                    counted: Bytes::default(),
                    is_over: false,
                    is_awaited: false,
                    changed: self.seen,
                });
                self.shares.len() - 1
            }
        };
        self.shares.get_mut(index)
    }

    /// The end of a TCP connection tells the bytes of its owner.
    pub(super) fn is_told_whole(&self, process: ProcessKey) -> bool {
        self.owner == Some(process) && self.end.is_some_and(End::is_counted_whole)
    }

    /// What a share says, as news; none when another share of the same process says it too: datagrams that
    /// came from anywhere to a socket with one destination came from there.
    pub(super) fn part(&self, socket: u64, share: &Share, state: FlowState) -> Option<Part> {
        let of_process = || self.shares.iter().filter(|other| other.process == share.process);
        let is_single = self.is_single(share.process);
        let (mut bytes, mut news) = (share.total(), share.total().minus(share.counted));
        if is_single && share.digest == FlowKey::FROM_ANYWHERE {
            return None;
        }
        if is_single && share.digest != 0 {
            let from_anywhere = of_process().filter(|other| other.digest == FlowKey::FROM_ANYWHERE);
            for other in from_anywhere {
                bytes = bytes.plus(other.total());
                news = news.plus(other.total().minus(other.counted));
            }
        }
        let is_owner = self.owner == Some(share.process);
        Some(Part {
            process: share.process,
            socket,
            end: share.end,
            direction: if is_owner { self.direction } else { Direction::Unknown },
            connected: share.digest == 0,
            bytes,
            news,
            state,
        })
    }

    /// What a share has and what was told with it has been told.
    fn count(&mut self, index: usize) {
        let Some(&Share { process, digest, .. }) = self.shares.get(index) else { return };
        let is_merged = digest != 0 && self.is_single(process);
        let is_told = |share: &&mut Share| {
            share.process == process
                && (share.digest == digest || is_merged && share.digest == FlowKey::FROM_ANYWHERE)
        };
        self.shares.iter_mut().filter(is_told).for_each(|share| share.counted = share.total());
    }

    /// Has a process sent datagrams over the socket to one destination only?
    fn is_single(&self, process: ProcessKey) -> bool {
        let of_process = self.shares.iter().filter(|share| share.process == process);
        of_process.filter(|share| share.digest > FlowKey::FROM_ANYWHERE).count() == 1
    }

    /// News of the owner, whose bytes are known otherwise.
    pub(super) fn part_of_owner(&self, socket: u64, bytes: Bytes, state: FlowState) -> Option<Part> {
        let (process, end, direction) = (self.owner?, self.end?, self.direction);
        let of_owner = self.shares.iter().filter(|share| share.process == process);
        let counted = of_owner.fold(Bytes::default(), |sum, share| sum.plus(share.counted));
        let news = bytes.minus(counted);
        Some(Part { process, socket, end, direction, connected: true, bytes, news, state })
    }

    /// What a share has to tell after a look at its row: nothing, how far it is, or that it is over.
    pub(super) fn tell(&mut self, socket: u64, index: usize, is_over: bool) -> Option<Part> {
        let share = self.shares.get(index)?;
        let state = if is_over { FlowState::Closed } else { FlowState::Open };
        let part = self.part(socket, share, state).filter(|_| !share.is_over);
        let share = self.shares.get_mut(index)?;
        share.is_over |= is_over;
        let part = part.filter(|part| is_over || part.bytes != share.told)?;
        share.told = part.bytes;
        self.count(index);
        Some(part).filter(|part| part.bytes != Bytes::default())
    }

    /// Everything that moved data and was not told as over, as over: all, or what one process did.
    pub(super) fn finish(&mut self, socket: u64, of: Option<ProcessKey>) -> Vec<Part> {
        let is_meant = |share: &Share| !share.is_over && of.is_none_or(|process| share.process == process);
        let parts: Vec<Part> = self
            .shares
            .iter()
            .filter(|share| is_meant(share))
            .filter_map(|share| self.part(socket, share, FlowState::Closed))
            .filter(|part| part.bytes != Bytes::default())
            .collect();
        self.shares.iter_mut().filter(|share| is_meant(share)).for_each(|share| share.is_over = true);
        parts
    }
}
