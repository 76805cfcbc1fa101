//! Datagrams sent to an address that the socket is not connected to; the peer must get them.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use io_uring::opcode;
use rustix::net::{
    MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketFlags, SocketType, sendmmsg, sendmsg_addr,
    sendto,
};
use serde_json::json;

use super::{LOOPBACK, LOOPBACK_V6, local, open, receiver, v4};
use crate::request::Request;
use crate::sys::compat::Gate;
use crate::sys::ring::{Mode, Ring};
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("datagram", "sendto", |request| one(request, LOOPBACK, by_sendto)),
    deed("datagram", "sendmsg", |request| one(request, LOOPBACK, by_sendmsg)),
    deed("datagram", "sendmmsg", two),
    deed("datagram", "ipv6", |request| one(request, LOOPBACK_V6, by_sendto)),
    deed("datagram", "io_uring", |request| by_ring(request, Mode::Inline)),
    deed("datagram", "io_uring_sqpoll", |request| by_ring(request, Mode::Polled)),
    deed("datagram", "compat32", |request| {
        let gate = Gate::open()?;
        one(request, LOOPBACK, |socket, bytes, to| Ok(gate.send_to(socket.as_fd(), bytes, v4(to)?)?))
    }),
];

/// Bytes of a datagram unless told.
const BYTES: usize = 64;

/// The most that fits into one UDP datagram over IPv4: 65535 less the headers (RFC 768, RFC 791).
const BYTES_MAX: usize = 65_507;

/// Longest wait for a datagram on loopback, where it is there when `sendto` returns.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

fn payload(request: &Request) -> Result<Vec<u8>> {
    let bytes = request.bytes.unwrap_or(BYTES);
    ensure!(bytes <= BYTES_MAX, "{bytes} bytes do not fit into a datagram; {BYTES_MAX} do");
    Ok(vec![b'd'; bytes])
}

/// A peer of its own at `ip`, unless another address is told.
fn peer(request: &Request, ip: IpAddr) -> Result<(Option<UdpSocket>, SocketAddr)> {
    if let Some(to) = request.to {
        return Ok((None, to));
    }
    let peer = receiver(ip)?;
    peer.set_read_timeout(Some(ARRIVAL_MAX))?;
    let address = peer.local_addr()?;
    Ok((Some(peer), address))
}

/// Sends one datagram by `send`.
fn one(
    request: &Request,
    ip: IpAddr,
    send: impl FnOnce(&OwnedFd, &[u8], SocketAddr) -> Result<usize>,
) -> Result<Truth> {
    let (peer, to) = peer(request, ip)?;
    let bytes = payload(request)?;
    let socket = open(to.ip().into(), SocketType::DGRAM, SocketFlags::empty(), None)?;
    let sent = send(&socket, &bytes, to).with_context(|| format!("sending to {to}"))?;
    ensure!(sent == bytes.len(), "{sent} of {} bytes were sent", bytes.len());
    ensure_arrived(peer.as_ref(), &bytes)?;
    let truth = Truth::new().with_peer("udp", to).with_local(local(&socket)?);
    Ok(truth.with("bytes", sent).with("bytes_sent", sent))
}

fn ensure_arrived(peer: Option<&UdpSocket>, bytes: &[u8]) -> Result<()> {
    let Some(peer) = peer else { return Ok(()) };
    let mut arrived = vec![0; BYTES_MAX];
    let length = peer.recv(&mut arrived).context("the datagram did not arrive")?;
    ensure!(arrived.get(..length) == Some(bytes), "another datagram arrived, of {length} bytes");
    Ok(())
}

fn by_sendto(socket: &OwnedFd, bytes: &[u8], to: SocketAddr) -> Result<usize> {
    Ok(sendto(socket, bytes, SendFlags::empty(), &to)?)
}

fn by_sendmsg(socket: &OwnedFd, bytes: &[u8], to: SocketAddr) -> Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    Ok(sendmsg_addr(socket, &to, &[IoSlice::new(bytes)], &mut control, SendFlags::empty())?)
}

fn by_ring(request: &Request, mode: Mode) -> Result<Truth> {
    let mut ring = Ring::new(mode, opcode::SendMsg::CODE)?;
    one(request, LOOPBACK, |socket, bytes, to| Ok(ring.send_to(socket, bytes, to)?))
}

/// Two datagrams to two ports in one call. Behind an address that was told, the second is the next port.
fn two(request: &Request) -> Result<Truth> {
    let (first_peer, first) = peer(request, LOOPBACK)?;
    let (second_peer, mut second) = peer(request, LOOPBACK)?;
    if request.to.is_some() {
        second.set_port(first.port().checked_add(1).context("there is no port behind that one")?);
    }
    let bytes = payload(request)?;
    let socket = open(first.ip().into(), SocketType::DGRAM, SocketFlags::empty(), None)?;
    let slices = [IoSlice::new(&bytes)];
    let mut control = (SendAncillaryBuffer::default(), SendAncillaryBuffer::default());
    let (first_raw, second_raw) = (SocketAddrAny::from(first), SocketAddrAny::from(second));
    let mut messages = [
        MMsgHdr::new_with_addr(&first_raw, &slices, &mut control.0),
        MMsgHdr::new_with_addr(&second_raw, &slices, &mut control.1),
    ];
    let count = sendmmsg(&socket, &mut messages, SendFlags::empty())?;
    ensure!(count == messages.len(), "{count} of {} datagrams were sent", messages.len());
    let sent: Vec<_> = messages.iter().map(MMsgHdr::bytes_sent).collect();
    ensure_arrived(first_peer.as_ref(), &bytes)?;
    ensure_arrived(second_peer.as_ref(), &bytes)?;
    let destinations: Vec<_> = [first, second]
        .iter()
        .zip(&sent)
        .map(|(to, sent)| json!({"address": to.ip().to_string(), "port": to.port(), "bytes": sent}))
        .collect();
    let total = sent.iter().sum::<usize>();
    let truth = Truth::new().with_peer("udp", first).with_local(local(&socket)?);
    Ok(truth.with("destinations", destinations).with("bytes", total).with("bytes_sent", total))
}
