//! The flow table: sockets in use, whose they are, and what moved over them.
//!
//! Fed by records (connect, accept, traffic, close) and by the rows that the kernel half counts in. It says
//! which rows it wants read, and which may go: a row that goes between two sends makes a new one, which is
//! added to what was counted.

mod open;

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use sensor_ebpf::wire::network::Connect as ConnectFlags;

use super::socket::{Ended, Share, Socket};
use super::{Bytes, Direction, End, FlowState, Opened, POLL, Part, address};
use crate::state::process::ProcessKey;

/// Most sockets: as many as the kernel half has rows (`FLOWS_MAX`). Beyond it the oldest is forgotten: of
/// its connection no end is told.
const SOCKETS_MAX: usize = 32_768;
/// A row that did not change for this long is taken out of the kernel's map, nanoseconds: it has room for
/// sockets in use, and one that is used again makes a new row.
const IDLE: u64 = 60 * 1_000_000_000;
/// How long a TCP connection whose processes are gone is awaited, nanoseconds: the kernel tries for a minute
/// to end it in order (`tcp_fin_timeout`), and then the record of its end was lost.
const ORPHAN: u64 = 120 * 1_000_000_000;

/// How long the end of a connection waits for another process that has a share in it, nanoseconds: the last
/// bytes may lie there to be read when both ends have closed.
const LATE: u64 = 1_000_000_000;

pub use open::OpenConnection;

/// All sockets that are known. Every operation is O(1) but for [`FlowTable::poll`], which looks at each.
#[derive(Debug, Default)]
pub struct FlowTable {
    sockets: FxHashMap<u64, Socket>,
    /// Who has a share in which, or owns it.
    members: BTreeSet<(ProcessKey, u64)>,
    /// Order of arrival; what is not there any more is skipped.
    arrivals: VecDeque<(u64, u64)>,
    /// Sockets whose end is not told yet, and since when all records before it have been handled.
    ending: Vec<(u64, Option<u64>)>,
    /// Sockets so far.
    count: u64,
    forgotten: u64,
}

/// What came of reading all rows.
#[derive(Debug, Default)]
pub struct Polled {
    pub parts: Vec<Part>,
    /// Rows to take out of the kernel's map. Their bytes have been told, or are in the table.
    pub removable: Vec<FlowKey>,
}

impl FlowTable {
    /// A process connected or accepted a socket, or sent a datagram to a new destination. Returns whether
    /// that is news to tell, and what is over by it.
    pub fn opened(&mut self, time: u64, process: ProcessKey, opened: &Opened) -> (bool, Vec<Part>) {
        let Opened { socket: id, end, direction, is_datagram, is_subflow } = *opened;
        if direction == Direction::Unknown {
            return (self.used(time, process, id, end), Vec::new());
        }
        let is_known = is_subflow && self.has_sibling(process, id, end);
        let is_same = is_datagram && self.sockets.get(&id).is_some_and(|socket| socket.end.is_none());
        let over = if is_same { Vec::new() } else { self.remove(id) };
        self.see(time, id, (!is_datagram).then_some(end), direction);
        self.members.insert((process, id));
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.owner = Some(process);
            socket.is_subflow = is_known;
            if is_datagram {
                let has_room = socket.share(process, FlowKey::digest(end.words(), end.port), end).is_some();
                self.forgotten += u64::from(!has_room);
            }
        }
        (!is_known, over)
    }

    /// A connection ended: all bytes of it. Of these, what other processes moved is theirs. Where a record
    /// of that is still to come, it is awaited until [`FlowTable::settle`].
    pub fn closed(&mut self, id: u64, whole: Bytes, failure: Option<u32>) -> Vec<Part> {
        let Some(socket) = self.sockets.get_mut(&id) else { return Vec::new() };
        if socket.shares.iter().any(|share| share.is_awaited) {
            socket.ended = Some(Ended { whole, failure });
            self.ending.push((id, None));
            return Vec::new();
        }
        self.end(id, Ended { whole, failure })
    }

    /// All records that were made until `now` (boot, nanoseconds) have been handled. What a connection's end
    /// has awaited for [`LATE`] is awaited no longer.
    pub fn settle(&mut self, now: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        for (id, since) in std::mem::take(&mut self.ending) {
            let since = since.unwrap_or(now);
            if now.saturating_sub(since) < LATE {
                self.ending.push((id, Some(since)));
                continue;
            }
            if let Some(ended) = self.sockets.get(&id).and_then(|socket| socket.ended) {
                parts.extend(self.end(id, ended));
            }
        }
        parts
    }

    /// A process let go of a socket, and with it of a row with these bytes.
    pub fn released(&mut self, time: u64, process: ProcessKey, id: u64, bytes: Bytes) -> Vec<Part> {
        let Some(socket) = self.sockets.get_mut(&id) else { return Vec::new() };
        let end = socket.end.unwrap_or_else(|| End::many(0));
        let is_told_whole = socket.is_told_whole(process);
        let Some(share) = socket.share(process, 0, end) else { return Vec::new() };
        share.see(bytes, time);
        share.take_row();
        share.is_awaited = false;
        if is_told_whole {
            return Vec::new();
        }
        let mut parts = socket.finish(id, Some(process));
        match socket.ended {
            Some(ended) if !socket.shares.iter().any(|share| share.is_awaited) => {
                parts.extend(self.end(id, ended));
            }
            Some(_) => {}
            // Nobody else has it: who gets this address next is another socket.
            None if socket.owner == Some(process) && socket.shares.iter().all(|share| share.is_over) => {
                self.remove(id);
            }
            None => {}
        }
        parts
    }

    /// Whose a socket is: who opened it, or the only one who was seen to use it.
    #[must_use]
    pub fn owner(&self, id: u64) -> Option<ProcessKey> {
        let socket = self.sockets.get(&id)?;
        let mut users = socket.shares.iter().map(|share| share.process);
        socket.owner.or_else(|| users.next().filter(|first| users.all(|other| other == *first)))
    }

    /// Rows to read before the end of a connection is handled: what others moved over it last.
    #[must_use]
    pub fn rows_of_socket(&self, id: u64) -> Vec<FlowKey> {
        let Some(socket) = self.sockets.get(&id) else { return Vec::new() };
        let of_others = socket.shares.iter().filter(|share| socket.owner != Some(share.process));
        of_others.map(|share| FlowKey { socket: id, pid: share.process.pid, digest: share.digest }).collect()
    }

    /// Rows to read before the end of a process is handled: no program tells of sockets that are not
    /// connected when they go.
    #[must_use]
    pub fn rows_of_process(&self, process: ProcessKey) -> Vec<FlowKey> {
        let mut keys = Vec::new();
        for (id, socket) in self.sockets_of(process).filter(|(_, socket)| socket.end.is_none()) {
            let of_process = socket.shares.iter().filter(|share| share.process == process);
            let digests = of_process.map(|share| share.digest).chain([FlowKey::FROM_ANYWHERE]);
            keys.extend(digests.map(|digest| FlowKey { socket: id, pid: process.pid, digest }));
        }
        keys
    }

    /// A row that was wanted is not there.
    pub fn row_gone(&mut self, key: &FlowKey) {
        let Some(socket) = self.sockets.get_mut(&key.socket) else { return };
        let is_meant =
            |share: &&mut Share| share.process.pid == key.pid && share.digest == key.digest && !share.is_over;
        socket.shares.iter_mut().filter(is_meant).for_each(|share| share.is_awaited = key.digest == 0);
    }

    /// A process ended: its unconnected sockets moved what they moved.
    pub fn exited(&mut self, process: ProcessKey) -> Vec<Part> {
        let ids: Vec<u64> =
            self.sockets_of(process).filter(|(_, socket)| socket.end.is_none()).map(|(id, _)| id).collect();
        let mut parts = Vec::new();
        for id in ids {
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            parts.extend(socket.finish(id, Some(process)));
            if socket.shares.iter().all(|share| share.is_over) {
                self.remove(id);
            }
        }
        parts
    }

    /// One row as it is now. `is_taken`: it was taken out of the kernel's map.
    pub fn row(&mut self, now: u64, key: &FlowKey, flow: &Flow, is_taken: bool) {
        let process = ProcessKey { pid: key.pid, start_time: flow.start_time };
        let end = End { number: flow.protocol, address: address(flow.address), port: flow.port };
        let is_rest = key.socket == 0;
        let end = if is_rest { End::many(flow.protocol) } else { end };
        let is_connected = key.digest == 0 && !is_rest;
        let is_opener = flow.flags & (ConnectFlags::FIRST_TRAFFIC | ConnectFlags::DATAGRAM) == 0;
        let direction = match flow.flags {
            flags if flags & ConnectFlags::INBOUND != 0 => Direction::Inbound,
            _ if is_opener && !is_rest => Direction::Outbound,
            _ => Direction::Unknown,
        };
        self.see(now, key.socket, is_connected.then_some(end), direction);
        self.members.insert((process, key.socket));
        let Some(socket) = self.sockets.get_mut(&key.socket) else { return };
        if is_opener && !is_rest && socket.owner.is_none() {
            socket.owner = Some(process);
            socket.direction = direction;
        }
        match socket.share(process, key.digest, end) {
            Some(share) => {
                share.see(Bytes { sent: flow.sent, received: flow.received }, now);
                if is_taken {
                    share.take_row();
                }
            }
            None => self.forgotten += 1,
        }
    }

    /// All rows as they are now. To be called every [`super::POLL`]. `is_live` says whether a process has not
    /// ended, as far as that is known.
    pub fn poll(
        &mut self,
        now: u64,
        rows: &[(FlowKey, Flow)],
        is_live: impl Fn(ProcessKey) -> Option<bool>,
    ) -> Polled {
        let mut polled = Polled::default();
        for (key, flow) in rows {
            self.row(now, key, flow, false);
            let process = ProcessKey { pid: key.pid, start_time: flow.start_time };
            let Some(socket) = self.sockets.get_mut(&key.socket) else { continue };
            let is_told_whole = socket.is_told_whole(process);
            let Some(index) =
                socket.shares.iter().position(|share| share.process == process && share.digest == key.digest)
            else {
                // No room for it: what it counts has been said to be forgotten.
                polled.removable.push(*key);
                continue;
            };
            let is_gone = is_live(process) == Some(false);
            let Some(share) = socket.shares.get_mut(index) else { continue };
            let is_idle = now.saturating_sub(share.changed) >= IDLE;
            if is_gone || is_idle {
                polled.removable.push(*key);
                share.take_row();
            }
            let is_over = !is_told_whole && (is_gone || is_idle && key.digest != 0);
            polled.parts.extend(socket.tell(key.socket, index, is_over));
        }
        self.forget(now, |process| is_live(process) == Some(true), &mut polled);
        polled
    }

    /// Sockets and shares that were given up because there was no room.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Drops sockets that no row and no record told of any more.
    fn forget(&mut self, now: u64, is_live: impl Fn(ProcessKey) -> bool, polled: &mut Polled) {
        let is_forgotten = |socket: &Socket| {
            let silent = now.saturating_sub(socket.seen);
            let mut users = socket.owner.into_iter().chain(socket.shares.iter().map(|share| share.process));
            let is_awaited = socket.end.is_some_and(End::is_counted_whole);
            if is_awaited { silent >= ORPHAN && !users.any(&is_live) } else { silent >= POLL }
        };
        let ids: Vec<u64> =
            self.sockets.iter().filter(|(_, socket)| is_forgotten(socket)).map(|(id, _)| *id).collect();
        for id in ids {
            polled.parts.extend(self.remove(id));
        }
    }

    /// Tells an end, and forgets the socket.
    fn end(&mut self, id: u64, ended: Ended) -> Vec<Part> {
        let Some(socket) = self.sockets.get_mut(&id) else { return Vec::new() };
        let owner = socket.owner;
        let of_others = socket.shares.iter().filter(|share| owner != Some(share.process));
        let of_others = of_others.fold(Bytes::default(), |sum, share| sum.plus(share.total()));
        let state = ended.failure.map_or(FlowState::Closed, FlowState::Failed);
        let whole = socket.part_of_owner(id, ended.whole.minus(of_others), state);
        let is_subflow = socket.is_subflow;
        let mut parts = socket.finish(id, None);
        // The owner's own rows are in the whole.
        parts.retain(|part| owner != Some(part.process));
        parts.extend(whole.filter(|_| !is_subflow));
        self.remove(id);
        parts
    }

    /// A process moves data over a socket that it did not open. True: that is news.
    fn used(&mut self, time: u64, process: ProcessKey, id: u64, end: End) -> bool {
        let subflow = if end.is_multipath() { self.take_subflow(process, end) } else { None };
        self.see(time, id, Some(end), Direction::Unknown);
        self.members.insert((process, id));
        let Some(socket) = self.sockets.get_mut(&id) else { return true };
        if let Some(direction) = subflow {
            (socket.owner, socket.direction) = (Some(process), direction);
        }
        let is_known =
            socket.owner == Some(process) || socket.shares.iter().any(|share| share.process == process);
        if socket.share(process, 0, end).is_none() {
            self.forgotten += 1;
        }
        !is_known
    }

    /// Is this one more way of a connection that the process has already?
    fn has_sibling(&self, process: ProcessKey, id: u64, end: End) -> bool {
        self.sockets_of(process).any(|(other, socket)| {
            let is_there = socket.end.is_some_and(|it| (it.address, it.port) == (end.address, end.port));
            other != id && is_there && socket.owner == Some(process)
        })
    }

    /// A Multipath TCP connection shows by its traffic; what was seen to be connected before is the first of
    /// its parts. Returns who opened that.
    fn take_subflow(&mut self, process: ProcessKey, end: End) -> Option<Direction> {
        let is_part = |socket: &Socket| {
            let is_there = socket.end.is_some_and(|it| (it.address, it.port) == (end.address, end.port));
            is_there && socket.end.is_some_and(End::is_counted_whole) && socket.owner == Some(process)
        };
        let (id, _) = self.sockets_of(process).find(|(_, socket)| is_part(socket) && !socket.is_subflow)?;
        let socket = self.sockets.get_mut(&id)?;
        socket.is_subflow = true;
        Some(socket.direction)
    }

    fn sockets_of(&self, process: ProcessKey) -> impl Iterator<Item = (u64, &Socket)> {
        let mine = self.members.range((process, 0)..=(process, u64::MAX));
        mine.filter_map(|(_, id)| Some((*id, self.sockets.get(id)?)))
    }

    /// Makes a socket, or notes that it is there.
    fn see(&mut self, time: u64, id: u64, end: Option<End>, direction: Direction) {
        if let Some(known) = self.sockets.get_mut(&id) {
            known.seen = known.seen.max(time);
            return;
        }
        if self.sockets.len() >= SOCKETS_MAX {
            self.evict();
        }
        self.count += 1;
        let number = self.count;
        let shares = Vec::new();
        let socket = Socket {
            owner: None,
            end,
            direction,
            is_subflow: false,
            shares,
            ended: None,
            number,
            since: time,
            seen: time,
        };
        self.sockets.insert(id, socket);
        self.arrivals.push_back((id, number));
        if self.arrivals.len() > 2 * self.sockets.len() + 1024 {
            let sockets = &self.sockets;
            self.arrivals.retain(|(id, number)| sockets.get(id).is_some_and(|it| it.number == *number));
        }
    }

    fn evict(&mut self) {
        while let Some((id, number)) = self.arrivals.pop_front() {
            if self.sockets.get(&id).is_some_and(|socket| socket.number == number) {
                let has_moved = |socket: &Socket| {
                    socket.end.is_some_and(End::is_counted_whole)
                        || socket.shares.iter().any(|share| share.total() != Bytes::default())
                };
                self.forgotten += u64::from(self.sockets.get(&id).is_some_and(has_moved));
                self.remove(id);
                return;
            }
        }
    }

    /// Forgets a socket; what it moved and was not told as over is.
    fn remove(&mut self, id: u64) -> Vec<Part> {
        let Some(mut socket) = self.sockets.remove(&id) else { return Vec::new() };
        for process in socket.owner.into_iter().chain(socket.shares.iter().map(|share| share.process)) {
            self.members.remove(&(process, id));
        }
        socket.finish(id, None)
    }
}
