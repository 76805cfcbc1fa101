//! A payload moved over a connection or by datagrams, by every call that moves bytes.

use std::fs::{self, File};
use std::io::IoSlice;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use io_uring::opcode;
use rustix::fs::sendfile;
use rustix::io::{Errno, writev};
use rustix::net::{
    MMsgHdr, Protocol, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, ipproto, recv,
    send, sendmmsg, sendmsg,
};
use rustix::pipe::{SpliceFlags, splice};

use super::stream::{Peer, exchange, payload, send_all, told};
use super::{LOOPBACK, Target, local, open, receiver};
use crate::child::pipe;
use crate::place::Place;
use crate::request::Request;
use crate::sys::compat::Gate;
use crate::sys::ring::{Mode, Ring};
use crate::sys::socket::allow_zerocopy;
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("transfer", "write", |request| tcp(request, by_write)),
    deed("transfer", "send", |request| {
        tcp(request, |stream, bytes| send_all(bytes, |rest| Ok(send(stream, rest, SendFlags::NOSIGNAL)?)))
    }),
    deed("transfer", "sendmsg", |request| tcp(request, by_sendmsg)),
    deed("transfer", "sendmmsg", |request| tcp(request, by_sendmmsg)),
    deed("transfer", "writev", |request| {
        tcp(request, |stream, bytes| send_all(bytes, |rest| Ok(writev(stream, &halves(rest))?)))
    }),
    deed("transfer", "zerocopy", |request| tcp(request, by_zerocopy)),
    deed("transfer", "sendfile", by_sendfile),
    deed("transfer", "splice", |request| tcp(request, by_splice)),
    deed("transfer", "io_uring", |request| by_ring(request, Mode::Inline)),
    deed("transfer", "io_uring_sqpoll", |request| by_ring(request, Mode::Polled)),
    deed("transfer", "udp_sendto", |request| datagrams(request, false)),
    deed("transfer", "udp_connected", |request| datagrams(request, true)),
    deed("transfer", "mptcp", |request| stream(request, Some(ipproto::MPTCP), by_write)),
    deed("transfer", "compat32", |request| {
        let gate = Gate::open()?;
        tcp(request, |stream, bytes| {
            send_all(bytes, |rest| Ok(gate.write(stream.as_fd(), first(rest, PIECE))?))
        })
    }),
];

/// Bytes of one call where a call takes a piece: what a pipe holds.
const PIECE: usize = 64 << 10;

/// Bytes of a datagram: fits into an Ethernet frame.
const DATAGRAM: usize = 1400;

/// Datagrams that wait for the peer's answer: a fraction of the default receive buffer (212992 bytes, of
/// which each takes about 2304), so that none is dropped.
const BATCH: usize = 32;

/// Longest wait for the own peer's answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The same for another peer, which may not answer at all.
const ANSWER_OTHER: Duration = Duration::from_millis(200);

fn tcp(request: &Request, send: impl FnOnce(&TcpStream, &[u8]) -> Result<usize>) -> Result<Truth> {
    stream(request, None, send)
}

fn stream(
    request: &Request,
    protocol: Option<Protocol>,
    send: impl FnOnce(&TcpStream, &[u8]) -> Result<usize>,
) -> Result<Truth> {
    let Target { address, listener } = Target::new(request, LOOPBACK, protocol)?;
    let socket = open(address.ip().into(), SocketType::STREAM, SocketFlags::empty(), protocol)?;
    let peer = Peer::start(listener);
    rustix::net::connect(&socket, &address).with_context(|| format!("connecting to {address}"))?;
    let stream = TcpStream::from(socket);
    let bytes = payload(request);
    let moved = exchange(&stream, |stream| send(stream, &bytes))?;
    peer.finish(moved.sent)?;
    told(&stream, address, moved)
}

fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// The next piece in two parts, so that a vector is one.
fn halves(bytes: &[u8]) -> [IoSlice<'_>; 2] {
    let piece = first(bytes, PIECE);
    let (one, two) = piece.split_at(piece.len() / 2);
    [IoSlice::new(one), IoSlice::new(two)]
}

/// `write(2)` itself: the standard library sends by `send(2)`.
fn by_write(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    send_all(bytes, |rest| Ok(rustix::io::write(stream, rest)?))
}

fn by_sendmsg(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    send_all(bytes, |rest| Ok(sendmsg(stream, &halves(rest), &mut control, SendFlags::NOSIGNAL)?))
}

/// Two messages in each call; a connection joins them.
fn by_sendmmsg(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    send_all(bytes, |rest| {
        let [one, two] = halves(rest);
        let mut control = (SendAncillaryBuffer::default(), SendAncillaryBuffer::default());
        let (one, two) = ([one], [two]);
        let mut messages = [MMsgHdr::new(&one, &mut control.0), MMsgHdr::new(&two, &mut control.1)];
        let count = sendmmsg(stream, &mut messages, SendFlags::NOSIGNAL)?;
        Ok(messages.iter().take(count).map(MMsgHdr::bytes_sent).sum())
    })
}

fn by_zerocopy(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    allow_zerocopy(stream.as_fd())?;
    let flags = SendFlags::NOSIGNAL | SendFlags::from_bits_retain(libc::MSG_ZEROCOPY.cast_unsigned());
    send_all(bytes, |rest| {
        loop {
            match send(stream, first(rest, PIECE), flags) {
                // Notices of what is sent wait to be read and fill the room for more.
                Err(Errno::NOBUFS) => {
                    let notices = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
                    recv(stream, &mut [0_u8; 1], notices).context("reading notices")?;
                }
                sent => return Ok(sent?),
            }
        }
    })
}

fn by_sendfile(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let path = place.join("payload");
    fs::write(&path, payload(request)).with_context(|| format!("writing {}", path.display()))?;
    let file = File::open(&path)?;
    let truth =
        tcp(request, |stream, bytes| send_all(bytes, |rest| Ok(sendfile(stream, &file, None, rest.len())?)))?;
    Ok(truth.with_path("path", &path))
}

fn by_splice(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    let (from, into) = pipe()?;
    send_all(bytes, |rest| {
        let filled = rustix::io::write(&into, first(rest, PIECE))?;
        let mut left = filled;
        while left > 0 {
            match splice(&from, None, stream, None, left, SpliceFlags::empty())? {
                0 => bail!("the socket takes no more"),
                moved => left = left.saturating_sub(moved),
            }
        }
        Ok(filled)
    })
}

fn by_ring(request: &Request, mode: Mode) -> Result<Truth> {
    let mut ring = Ring::new(mode, opcode::Send::CODE)?;
    tcp(request, |stream, bytes| send_all(bytes, |rest| Ok(ring.send(stream, rest)?)))
}

/// Sends the payload as datagrams; after each batch the peer answers with one byte.
fn datagrams(request: &Request, connected: bool) -> Result<Truth> {
    let bytes = payload(request);
    let count = bytes.chunks(DATAGRAM).count();
    let (to, peer, patience) = match request.to {
        Some(to) => (to, None, ANSWER_OTHER),
        None => {
            let socket = receiver(LOOPBACK)?;
            let to = socket.local_addr()?;
            (to, Some(thread::spawn(move || answer(&socket, count))), ANSWER_MAX)
        }
    };
    let socket = UdpSocket::from(open(to.ip().into(), SocketType::DGRAM, SocketFlags::empty(), None)?);
    socket.set_read_timeout(Some(patience))?;
    if connected {
        socket.connect(to).with_context(|| format!("connecting to {to}"))?;
    }
    let (mut sent, mut received) = (0, 0);
    for batch in bytes.chunks(DATAGRAM * BATCH) {
        for datagram in batch.chunks(DATAGRAM) {
            sent += if connected { socket.send(datagram)? } else { socket.send_to(datagram, to)? };
        }
        match socket.recv(&mut [0; DATAGRAM]) {
            Ok(length) => received += length,
            Err(error) if peer.is_some() => return Err(error).context("the peer does not answer"),
            Err(_) => {}
        }
    }
    if let Some(peer) = peer {
        let Ok(arrived) = peer.join() else { bail!("the peer panicked") };
        let arrived = arrived.context("the peer failed")?;
        ensure!(arrived == sent, "{sent} bytes were sent and {arrived} arrived");
    }
    let truth = Truth::new().with_peer("udp", to).with_local(local(&socket)?);
    let truth = truth.with("bytes", sent).with("bytes_sent", sent).with("bytes_received", received);
    Ok(truth.with("datagrams", count))
}

/// The peer of [`datagrams`]: takes `count` of them and answers each batch.
fn answer(socket: &UdpSocket, count: usize) -> Result<usize> {
    socket.set_read_timeout(Some(ANSWER_MAX))?;
    let mut room = [0; DATAGRAM];
    let mut received = 0;
    for number in 1..=count {
        let (length, from) = socket.recv_from(&mut room)?;
        received += length;
        if number % BATCH == 0 || number == count {
            socket.send_to(b"a", from)?;
        }
    }
    Ok(received)
}
