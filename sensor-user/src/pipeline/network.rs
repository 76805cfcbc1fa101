//! Connections, what goes over them, and names.

use sensor_ebpf::wire::{Actor, FileId};

use super::{Host, Pipeline, key};
use crate::decode::{Close, Connect, Dns, Socket as SocketRecord};
use crate::event::field::Category;
use crate::event::{Body, Connection, Direction, Protocol};

impl Pipeline {
    pub(super) fn connect(
        &mut self,
        time: u64,
        actor: &Actor,
        connect: Connect,
        direction: Direction,
        host: &mut impl Host,
    ) {
        if !self.wants(Category::NetworkConnection, key(actor)) {
            return;
        }
        let protocol = match connect.protocol {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            other => Protocol::Other(other),
        };
        let connection = Connection {
            socket: connect.socket,
            protocol,
            address: connect.address,
            port: connect.port,
            hostname: None,
            direction,
            connected: !connect.is_datagram,
        };
        self.event(time, key(actor), Body::NetworkConnection(connection), host);
    }

    pub(super) fn close(&mut self, time: u64, _actor: &Actor, close: Close, _host: &mut impl Host) {
        if !close.is_share {
            self.stories.closed(time, close.socket, close.bytes_sent, close.bytes_received);
        }
    }

    pub(super) fn socket(
        &mut self,
        _time: u64,
        _actor: &Actor,
        _socket: SocketRecord,
        _host: &mut impl Host,
    ) {
    }

    pub(super) fn unix_connect(
        &mut self,
        _time: u64,
        _actor: &Actor,
        _file: FileId,
        _path: String,
        _host: &mut impl Host,
    ) {
    }

    pub(super) fn dns(&mut self, _time: u64, _actor: &Actor, _dns: &Dns, _host: &mut impl Host) {}
}
