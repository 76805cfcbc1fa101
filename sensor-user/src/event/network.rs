//! Fields of the network family.

use sigma::{Presence, Value};

use super::field::{Each, Field, all, one, text};
use super::{Body, Connection, Direction, DnsQuery, Event, Flow, Socket};

impl Event {
    /// The value of a field of this family; absent for the others.
    pub(super) fn network(&self, field: Field, each: Each<'_>) -> Presence {
        match &self.body {
            Body::NetworkConnection(connection) => of_connection(connection, field, each),
            Body::NetworkFlow(flow) => of_flow(flow, field, each),
            Body::NetworkSocket(socket) => of_socket(socket, field, each),
            Body::DnsQuery(query) => of_query(query, field, each),
            Body::ProcessCreation
            | Body::ProcessAccess(_)
            | Body::FileEvent(_)
            | Body::SystemChange(_)
            | Body::ContainerEvent(_)
            | Body::ContainerResource(_) => Presence::Absent,
        }
    }
}

fn of_connection(connection: &Connection, field: Field, each: Each<'_>) -> Presence {
    if field == Field::DestinationIp {
        one(Value::Ip(connection.address), each)
    } else if field == Field::DestinationPort {
        one(Value::Number(connection.port.into()), each)
    } else if field == Field::Protocol {
        one(Value::Text(connection.protocol.name()), each)
    } else if field == Field::Initiated {
        one(Value::Bool(connection.direction == Direction::Outbound), each)
    } else if field == Field::DestinationHostname {
        text(connection.hostname.as_deref(), each)
    } else if field == Field::Direction {
        one(Value::Text(connection.direction.name()), each)
    } else {
        Presence::Absent
    }
}

fn of_flow(flow: &Flow, field: Field, each: Each<'_>) -> Presence {
    let bytes = |count| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    if field == Field::BytesSent {
        one(bytes(flow.bytes_sent), each)
    } else if field == Field::BytesReceived {
        one(bytes(flow.bytes_received), each)
    } else if field == Field::BytesSentNew {
        one(bytes(flow.bytes_sent_new), each)
    } else if field == Field::BytesReceivedNew {
        one(bytes(flow.bytes_received_new), each)
    } else if field == Field::FlowState {
        one(Value::Text(flow.state.name()), each)
    } else {
        of_connection(&flow.connection, field, each)
    }
}

fn of_socket(socket: &Socket, field: Field, each: Each<'_>) -> Presence {
    let (kind, path) = match socket {
        Socket::Raw { .. } => ("raw", None),
        Socket::Packet => ("packet", None),
        Socket::Vsock => ("vsock", None),
        Socket::Other { .. } => ("other", None),
        Socket::Runtime { path } => ("runtime", Some(path.as_str())),
    };
    if field == Field::SocketType {
        one(Value::Text(kind), each)
    } else if field == Field::SocketPath {
        text(path, each)
    } else {
        Presence::Absent
    }
}

fn of_query(query: &DnsQuery, field: Field, each: Each<'_>) -> Presence {
    let answer = query.answer.as_ref();
    if field == Field::DestinationIp {
        one(Value::Ip(query.server), each)
    } else if field == Field::QueryName {
        one(Value::Text(&query.name), each)
    } else if field == Field::QueryType {
        one(Value::Text(&query.kind), each)
    } else if field == Field::QueryStatus {
        text(answer.map(|answer| answer.code.as_str()), each)
    } else if field == Field::QueryResults
        && let Some(answer) = answer
    {
        let addresses = answer.addresses.iter().map(|address| Value::Ip(*address));
        all(addresses.chain(answer.records.iter().map(|record| Value::Text(record))), each)
    } else {
        Presence::Absent
    }
}
