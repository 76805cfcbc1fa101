//! A connection made by one process and used by another, which was handed the socket.

use std::io::{IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde_json::json;

use super::stream::{Peer, exchange, payload, send_all, told};
use super::{LOOPBACK, Target};
use crate::child::{Child, number};
use crate::request::Request;
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("transfer", "passed", |request| passed(request, 0)),
    deed("transfer", "passed_halves", |request| passed(request, 2)),
];

/// Room for one descriptor.
const ROOM: usize = rustix::cmsg_space!(ScmRights(1));

/// This process connects, sends the first `1 / part` of the payload (0: nothing) and hands the socket to a
/// child, which sends the rest and takes the answer.
fn passed(request: &Request, part: usize) -> Result<Truth> {
    let bytes = payload(request);
    let (own, rest) = bytes.split_at(bytes.len().checked_div(part).unwrap_or(0));
    let Target { address, listener } = Target::new(request, LOOPBACK, None)?;
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let child = Child::start(|| {
        let stream = TcpStream::from(receive(&there)?);
        let moved = exchange(&stream, |stream| write(stream, rest))?;
        told(&stream, address, moved)
    })?;
    drop(there);
    let peer = Peer::start(listener);
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    let sent = write(&stream, own)?;
    hand(&here, &stream)?;
    drop(stream);
    let (connector, sender) = (std::process::id(), number(child.pid));
    let truth = child.finish().context("the process that was handed the socket")?;
    let by_child = usize::try_from(truth.number("bytes_sent").unwrap_or(0))?;
    let total = sent + by_child;
    peer.finish(total)?;
    let senders = json!([{"pid": connector, "bytes": sent}, {"pid": sender, "bytes": by_child}]);
    let truth = truth.with("pid", sender).with("connector_pid", connector).with("senders", senders);
    Ok(truth.with("bytes", total).with("bytes_sent", total))
}

fn write(mut stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    send_all(bytes, |rest| Ok(stream.write(rest)?))
}

/// Hands a descriptor over, with one byte, as a message must have some.
fn hand(channel: &OwnedFd, what: impl AsFd) -> Result<()> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let descriptors = [what.as_fd()];
    ensure!(control.push(SendAncillaryMessage::ScmRights(&descriptors)), "no room for a descriptor");
    sendmsg(channel, &[IoSlice::new(b"s")], &mut control, SendFlags::NOSIGNAL).context("handing a socket")?;
    Ok(())
}

fn receive(channel: &OwnedFd) -> Result<OwnedFd> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    recvmsg(channel, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let handed = control.drain().find_map(|message| {
        let RecvAncillaryMessage::ScmRights(mut descriptors) = message else { return None };
        descriptors.next()
    });
    handed.context("no socket was handed over")
}
