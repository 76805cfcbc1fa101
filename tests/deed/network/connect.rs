//! Connections made, each once, and closed again.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use io_uring::opcode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{SendFlags, SocketFlags, SocketType, ipproto, sendto};

use super::{Family, LOOPBACK, LOOPBACK_V6, Target, local, open, receiver, v4};
use crate::request::Request;
use crate::sys::compat::Gate;
use crate::sys::ring::{Mode, Ring};
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("connect", "connect", |request| tcp(request, plain)),
    deed("connect", "nonblocking", nonblocking),
    deed("connect", "ipv6", |request| stream(&Target::new(request, LOOPBACK_V6, None)?, plain)),
    deed("connect", "mapped", mapped),
    deed("connect", "fastopen", fastopen),
    deed("connect", "mptcp", mptcp),
    deed("connect", "refused", refused),
    deed("connect", "io_uring", |request| by_ring(request, Mode::Inline)),
    deed("connect", "io_uring_async", |request| by_ring(request, Mode::Async)),
    deed("connect", "io_uring_sqpoll", |request| by_ring(request, Mode::Polled)),
    deed("connect", "compat32", |request| {
        let gate = Gate::open()?;
        tcp(request, |socket, to| Ok(gate.connect(socket.as_fd(), v4(to)?)?))
    }),
    deed("connect", "compat32_socketcall", |request| {
        let gate = Gate::open()?;
        tcp(request, |socket, to| Ok(gate.socketcall_connect(socket.as_fd(), v4(to)?)?))
    }),
    deed("connect", "udp", udp),
    deed("connect", "from_thread", from_thread),
];

/// Longest wait for a connection that is under way; on loopback it takes microseconds.
const CONNECT_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// What is sent in the first packet.
const FAST_BYTES: &[u8] = b"fast";

fn plain(socket: &OwnedFd, to: SocketAddr) -> Result<()> {
    rustix::net::connect(socket, &to).with_context(|| format!("connecting to {to}"))
}

fn tcp(request: &Request, connect: impl FnOnce(&OwnedFd, SocketAddr) -> Result<()>) -> Result<Truth> {
    stream(&Target::new(request, LOOPBACK, None)?, connect)
}

/// A TCP socket, connected to the target by `connect`.
fn stream(target: &Target, connect: impl FnOnce(&OwnedFd, SocketAddr) -> Result<()>) -> Result<Truth> {
    let socket = open(target.address.ip().into(), SocketType::STREAM, SocketFlags::empty(), None)?;
    connect(&socket, target.address)?;
    told("tcp", &socket, target.address)
}

/// What is told of a connected socket, after the kernel has said that it is connected to `to`.
fn told(protocol: &str, socket: &OwnedFd, to: SocketAddr) -> Result<Truth> {
    let peer: SocketAddr = rustix::net::getpeername(socket)?
        .context("the socket has no peer")?
        .try_into()
        .context("the peer has no internet address")?;
    let same = peer.ip().to_canonical() == to.ip().to_canonical() && peer.port() == to.port();
    ensure!(same, "asked for {to}, connected to {peer}");
    Ok(Truth::new().with_peer(protocol, to).with_local(local(socket)?))
}

fn nonblocking(request: &Request) -> Result<Truth> {
    let target = Target::new(request, LOOPBACK, None)?;
    let socket = open(target.address.ip().into(), SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    match rustix::net::connect(&socket, &target.address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => await_connected(&socket)?,
        Err(error) => return Err(error).with_context(|| format!("connecting to {}", target.address)),
    }
    told("tcp", &socket, target.address)
}

/// Waits until a connection that was begun is made.
pub(crate) fn await_connected(socket: &OwnedFd) -> Result<()> {
    let mut ready = [PollFd::new(socket, PollFlags::OUT)];
    ensure!(poll(&mut ready, Some(&CONNECT_MAX))? == 1, "no connection in {} s", CONNECT_MAX.tv_sec);
    Ok(socket_error(socket)??)
}

/// To an IPv4 address by a socket of IPv6.
fn mapped(request: &Request) -> Result<Truth> {
    let target = Target::new(request, LOOPBACK, None)?;
    let to = v4(target.address)?;
    let dressed = SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port());
    let socket = open(LOOPBACK_V6.into(), SocketType::STREAM, SocketFlags::empty(), None)?;
    plain(&socket, dressed)?;
    Ok(told("tcp", &socket, dressed)?.with("dressed", dressed.to_string()))
}

fn fastopen(request: &Request) -> Result<Truth> {
    let target = Target::new(request, LOOPBACK, None)?;
    let socket = open(target.address.ip().into(), SocketType::STREAM, SocketFlags::empty(), None)?;
    let fast = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned());
    let sent = sendto(&socket, FAST_BYTES, fast, &target.address).context("sending with MSG_FASTOPEN")?;
    Ok(told("tcp", &socket, target.address)?.with("bytes_sent", sent).with("bytes", sent))
}

fn mptcp(request: &Request) -> Result<Truth> {
    let target = Target::new(request, LOOPBACK, Some(ipproto::MPTCP))?;
    let family = Family::from(target.address.ip());
    let socket = open(family, SocketType::STREAM, SocketFlags::empty(), Some(ipproto::MPTCP))?;
    plain(&socket, target.address)?;
    told("tcp", &socket, target.address)
}

fn refused(request: &Request) -> Result<Truth> {
    let to = match request.to {
        Some(to) => to,
        // The kernel gives a port out again only when it has gone through all others.
        None => TcpListener::bind((LOOPBACK, 0))?.local_addr()?,
    };
    let socket = open(to.ip().into(), SocketType::STREAM, SocketFlags::empty(), None)?;
    match rustix::net::connect(&socket, &to) {
        Err(error @ Errno::CONNREFUSED) => {
            Ok(Truth::new().with_peer("tcp", to).with("errno", error.raw_os_error()))
        }
        Err(error) => Err(error).with_context(|| format!("connecting to {to}")),
        Ok(()) => bail!("somebody listens at {to}"),
    }
}

fn by_ring(request: &Request, mode: Mode) -> Result<Truth> {
    let mut ring = Ring::new(mode, opcode::Connect::CODE)?;
    tcp(request, |socket, to| Ok(ring.connect(socket, to)?))
}

fn udp(request: &Request) -> Result<Truth> {
    let peer = receiver(LOOPBACK)?;
    let to = request.to.map_or_else(|| peer.local_addr(), Ok)?;
    let socket = open(to.ip().into(), SocketType::DGRAM, SocketFlags::empty(), None)?;
    plain(&socket, to)?;
    told("udp", &socket, to)
}

fn from_thread(request: &Request) -> Result<Truth> {
    let work = || {
        let tid = rustix::thread::gettid();
        Ok(tcp(request, plain)?.with("tid", crate::child::number(tid)))
    };
    let joined = thread::scope(|scope| scope.spawn(work).join());
    joined.map_err(|_| io::Error::other("the thread panicked"))?
}
