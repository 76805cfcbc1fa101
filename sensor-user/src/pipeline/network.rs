//! Connections, what goes over them, and sockets that lead past them.

use std::sync::Arc;

use sensor_ebpf::wire::flow::{Flow as Row, FlowKey};
use sensor_ebpf::wire::{Actor, FileId};

use super::{Host, Pipeline, key};
use crate::decode::{Body as RecordBody, Close, Connect, Record, Socket as SocketRecord};
use crate::event::field::Category;
use crate::event::{Body, Connection, Direction, Flow, Socket};
use crate::state::flow::{Bytes, End, Opened, Part};
use crate::state::process::ProcessKey;

/// Families and types of sockets (include/linux/socket.h, include/linux/net.h).
const PACKET: u16 = 17;
const VSOCK: u16 = 40;
const RAW: u16 = 3;
const OLD_PACKET: u16 = 10;

impl Pipeline {
    /// Rows of the kernel half's map that are to be read, and taken out, before a record is handled: what
    /// moved last over a socket that is going.
    #[must_use]
    pub fn wanted_rows(&self, record: &Record) -> Vec<FlowKey> {
        match &record.body {
            RecordBody::Close(close) if !close.is_share => self.flows.rows_of_socket(close.socket),
            RecordBody::Exit { .. } => self.flows.rows_of_process(key(&record.actor)),
            RecordBody::Exec(_)
            | RecordBody::Fork(_)
            | RecordBody::Access(_)
            | RecordBody::Signal(_)
            | RecordBody::Connect(_)
            | RecordBody::Accept(_)
            | RecordBody::Traffic(_)
            | RecordBody::Close(_)
            | RecordBody::Socket(_)
            | RecordBody::UnixConnect { .. }
            | RecordBody::Dns(_)
            | RecordBody::File(..)
            | RecordBody::Name(..)
            | RecordBody::CgroupCreate(_)
            | RecordBody::CgroupRemove(_)
            | RecordBody::CgroupAttach(_)
            | RecordBody::Namespace(_)
            | RecordBody::BpfLoad { .. }
            | RecordBody::ModuleLoad { .. }
            | RecordBody::Mount(_) => Vec::new(),
        }
    }

    /// A row whose process still has the socket of a connection that has ended: what it tells when it lets go
    /// is awaited.
    pub fn row_held(&mut self, now: u64, key: &FlowKey, row: &Row) {
        self.flows.row(now, key, row, false);
        self.flows.row_gone(key);
    }

    /// A row that was taken out; none: it is not there any more.
    pub fn row_taken(&mut self, now: u64, key: &FlowKey, row: Option<&Row>) {
        match row {
            Some(row) => self.flows.row(now, key, row, true),
            None => self.flows.row_gone(key),
        }
    }

    /// All records that were made until now have been handled: ends that waited for another one are told.
    pub fn settle(&mut self, now: u64, host: &mut impl Host) {
        let parts = self.flows.settle(now);
        self.parts(now, parts, host);
        self.settle_identities(now, host);
        self.settle_lives(host);
    }

    /// The sensor ends: no end waits any longer.
    pub fn settle_all(&mut self, now: u64, host: &mut impl Host) {
        self.settle(now, host);
        let parts = self.flows.settle(u64::MAX);
        self.parts(now, parts, host);
    }

    /// All rows as they are now; returns those that may go.
    pub fn poll(&mut self, now: u64, rows: &[(FlowKey, Row)], host: &mut impl Host) -> Vec<FlowKey> {
        let processes = &self.processes;
        let polled = self.flows.poll(now, rows, |process| processes.is_live(process));
        self.parts(now, polled.parts, host);
        polled.removable
    }

    pub(super) fn connect(
        &mut self,
        time: u64,
        actor: &Actor,
        connect: Connect,
        direction: Direction,
        host: &mut impl Host,
    ) {
        if !connect.has_actor {
            // Nobody took it, or nobody moved a byte: whose it would have been is not known.
            self.passed.untaken_connections += 1;
            return;
        }
        let Connect { socket, address, port, protocol, is_datagram, is_subflow, .. } = connect;
        let end = End { number: protocol, address, port };
        if is_elsewhere(end) {
            self.writers.intake.connected(key(actor));
        }
        let opened = Opened { socket, end, direction, is_datagram, is_subflow };
        let (is_news, over) = self.flows.opened(time, key(actor), &opened);
        self.parts(time, over, host);
        if !is_news || !self.wants(Category::NetworkConnection, key(actor)) {
            return;
        }
        let connection = self.connection(time, key(actor), socket, end, direction, !is_datagram);
        self.event(time, key(actor), Body::NetworkConnection(connection), host);
    }

    pub(super) fn close(&mut self, time: u64, actor: &Actor, close: Close, host: &mut impl Host) {
        let Close { socket, bytes_sent, bytes_received, failure, is_share } = close;
        let bytes = Bytes { sent: bytes_sent, received: bytes_received };
        let parts = if is_share {
            self.flows.released(time, key(actor), socket, bytes)
        } else {
            self.flows.closed(socket, bytes, failure)
        };
        self.parts(time, parts, host);
    }

    /// A process ended, and with it what it moved over sockets that are not connected.
    pub(super) fn flows_ended(&mut self, time: u64, process: ProcessKey, host: &mut impl Host) {
        let parts = self.flows.exited(process);
        self.parts(time, parts, host);
    }

    pub(super) fn socket(&mut self, time: u64, actor: &Actor, socket: SocketRecord, host: &mut impl Host) {
        if !self.wants(Category::NetworkSocket, key(actor)) {
            return;
        }
        let socket = match (socket.family, socket.kind) {
            (PACKET, _) | (_, OLD_PACKET) => Socket::Packet,
            (VSOCK, _) => Socket::Vsock,
            (_, RAW) => Socket::Raw { protocol: socket.protocol },
            (family, kind) => Socket::Other { family, kind },
        };
        self.event(time, key(actor), Body::NetworkSocket(socket), host);
    }

    pub(super) fn unix_connect(
        &mut self,
        time: u64,
        actor: &Actor,
        file: FileId,
        path: String,
        host: &mut impl Host,
    ) {
        if !self.wants(Category::NetworkSocket, key(actor)) {
            return;
        }
        let seen = host.path(file.device, &path, actor.mnt_ns, actor.pid, time);
        let socket = Socket::Runtime { path: seen.unwrap_or(path) };
        self.event(time, key(actor), Body::NetworkSocket(socket), host);
    }

    /// News of the flow table become events.
    fn parts(&mut self, time: u64, parts: Vec<Part>, host: &mut impl Host) {
        for part in parts {
            let Part { process, socket, end, direction, connected, bytes, news, state } = part;
            if is_elsewhere(end) && news.received > 0 {
                self.writers.intake.received(process, news.received);
            }
            if !self.wants(Category::NetworkFlow, process) {
                continue;
            }
            let connection = self.connection(time, process, socket, end, direction, connected);
            let Bytes { sent: bytes_sent, received: bytes_received } = bytes;
            let Bytes { sent: bytes_sent_new, received: bytes_received_new } = news;
            let flow =
                Flow { connection, bytes_sent, bytes_received, bytes_sent_new, bytes_received_new, state };
            self.event(time, process, Body::NetworkFlow(flow), host);
        }
    }

    fn connection(
        &mut self,
        time: u64,
        process: ProcessKey,
        socket: u64,
        end: End,
        direction: Direction,
        connected: bool,
    ) -> Connection {
        let scope: Option<Arc<str>> = self.processes.get(process).and_then(|it| it.container.clone());
        let hostname = self.names.name(scope.as_ref(), end.address, time);
        let End { address, port, .. } = end;
        Connection { socket, protocol: end.protocol(), address, port, hostname, direction, connected }
    }
}

/// Another machine, of which something can be had: not this one, and nobody's answer to a name (RFC 1035).
fn is_elsewhere(end: End) -> bool {
    const UDP: u16 = 17;
    const DNS: u16 = 53;
    !end.address.to_canonical().is_loopback() && (end.number, end.port) != (UDP, DNS)
}
