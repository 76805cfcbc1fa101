//! Records of the network family.

use std::net::{IpAddr, Ipv6Addr};

use sensor_ebpf::wire::network;
use sensor_ebpf::wire::text::Text;

use super::text::{Texts, fixed};
use super::{Body, DecodeError};

/// [`network::Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// As in [`sensor_ebpf::wire::flow::FlowKey`].
    pub socket: u64,
    /// The other end. IPv4-mapped addresses are given as IPv4.
    pub address: IpAddr,
    pub port: u16,
    pub protocol: u16,
    pub is_datagram: bool,
    /// The record's actor is who it is about; else only its cgroup means something.
    pub has_actor: bool,
    /// Part of a Multipath TCP connection.
    pub is_subflow: bool,
}

/// [`network::Close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub socket: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Never established: the errno, zero when unknown.
    pub failure: Option<u32>,
    /// What the actor moved over a socket that it lets go of, not the connection's whole.
    pub is_share: bool,
}

/// [`network::Socket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    pub family: u16,
    pub kind: u16,
    pub protocol: u16,
    /// Seen in use, not when it was made.
    pub is_used: bool,
}

/// [`network::Dns`] with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    pub socket: u64,
    pub server: IpAddr,
    pub is_answer: bool,
    pub is_tcp: bool,
    pub message: Vec<u8>,
    pub is_truncated: bool,
}

pub(super) fn connect(bytes: &[u8]) -> Result<Connect, DecodeError> {
    let (record, _) = fixed::<network::Connect>(bytes, "a connect")?;
    let has = |flag| record.flags & flag != 0;
    Ok(Connect {
        socket: record.socket,
        address: Ipv6Addr::from(record.address).to_canonical(),
        port: record.port,
        protocol: record.protocol,
        is_datagram: has(network::Connect::DATAGRAM),
        has_actor: !has(network::Connect::NO_ACTOR),
        is_subflow: has(network::Connect::SUBFLOW),
    })
}

pub(super) fn close(bytes: &[u8]) -> Result<Close, DecodeError> {
    let (record, _) = fixed::<network::Close>(bytes, "a close")?;
    let network::Close { header: _, socket, bytes_sent, bytes_received, flags, error } = record;
    let failure = (flags & network::Close::FAILED != 0).then_some(error);
    Ok(Close { socket, bytes_sent, bytes_received, failure, is_share: flags & network::Close::SHARE != 0 })
}

pub(super) fn socket(bytes: &[u8]) -> Result<Socket, DecodeError> {
    let (record, _) = fixed::<network::Socket>(bytes, "a socket")?;
    let network::Socket { header: _, family, kind, protocol, flags } = record;
    Ok(Socket { family, kind, protocol, is_used: flags & network::Socket::USED != 0 })
}

pub(super) fn unix_connect(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, tail) = fixed::<network::UnixConnect>(bytes, "a connect to a file")?;
    let mut texts = Texts(tail);
    let path = texts.path(record.path)?;
    texts.end()?;
    Ok(Body::UnixConnect { file: record.file, path })
}

pub(super) fn dns(bytes: &[u8]) -> Result<Dns, DecodeError> {
    let (record, tail) = fixed::<network::Dns>(bytes, "a DNS message")?;
    let mut texts = Texts(tail);
    let message = texts.take(record.message)?.to_vec();
    texts.end()?;
    Ok(Dns {
        socket: record.socket,
        server: Ipv6Addr::from(record.address).to_canonical(),
        is_answer: record.flags & network::Dns::ANSWER != 0,
        is_tcp: record.flags & network::Dns::TCP != 0,
        message,
        is_truncated: record.message.flags & (Text::TRUNCATED | Text::UNREADABLE) != 0,
    })
}
