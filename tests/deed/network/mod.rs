//! Deeds on sockets, and the peers that they talk to: on loopback, in this process, on ports of the kernel's choice.

pub(crate) mod connect;
pub(crate) mod datagram;
pub(crate) mod accept;
pub(crate) mod transfer;
pub(crate) mod passed;
pub(crate) mod stream;
pub(crate) mod socket;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result, bail};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::request::Request;
use crate::truth::OrMissing as _;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Connections that wait to be accepted; nobody but the deed connects.
const BACKLOG: i32 = 16;

/// The signs of a network namespace without this address family on loopback.
const NO_LOOPBACK: [Errno; 1] = [Errno::ADDRNOTAVAIL];

/// Where to connect to, and the listener that is there unless the caller named another place.
struct Target {
    address: SocketAddr,
    listener: Option<TcpListener>,
}

impl Target {
    fn new(request: &Request, ip: IpAddr, protocol: Option<Protocol>) -> Result<Self> {
        if let Some(address) = request.to {
            return Ok(Self { address, listener: None });
        }
        let listener = open(ip.into(), SocketType::STREAM, SocketFlags::empty(), protocol)?;
        bind(&listener, &SocketAddr::new(ip, 0)).or_missing(&NO_LOOPBACK, &format!("no {ip} here"))?;
        listen(&listener, BACKLOG)?;
        Ok(Self { address: local(&listener)?, listener: Some(listener.into()) })
    }
}

/// Which family of sockets.
#[derive(Debug, Clone, Copy)]
struct Family(AddressFamily);

impl From<IpAddr> for Family {
    fn from(ip: IpAddr) -> Self {
        Self(if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })
    }
}

fn open(family: Family, kind: SocketType, flags: SocketFlags, protocol: Option<Protocol>) -> Result<OwnedFd> {
    socket_with(family.0, kind, flags | SocketFlags::CLOEXEC, protocol).context("making a socket")
}

/// The address that a socket has at this end.
fn local(socket: impl AsFd) -> Result<SocketAddr> {
    getsockname(socket)?.try_into().context("this end has no internet address")
}

/// A socket for datagrams at loopback, its own peer's place.
fn receiver(ip: IpAddr) -> Result<UdpSocket> {
    UdpSocket::bind((ip, 0)).or_missing(&NO_LOOPBACK, &format!("no {ip} here"))
}

/// The address in the form that only IPv4 has.
fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => bail!("{address} is no IPv4 address, and this way knows no other"),
    }
}
