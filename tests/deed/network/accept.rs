//! Connections taken: a child connects, this process accepts.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, Result, ensure};
use io_uring::opcode;
use rustix::net::{SocketFlags, accept_with};

use super::LOOPBACK;
use crate::child::{Child, number};
use crate::request::Request;
use crate::sys::ring::{Mode, Ring};
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("accept", "accept4", |request| {
        taken(request, |listener| Ok(accept_with(listener, SocketFlags::CLOEXEC)?.into()))
    }),
    deed("accept", "io_uring", |request| {
        let mut ring = Ring::new(Mode::Inline, opcode::Accept::CODE)?;
        taken(request, move |listener| Ok(ring.accept(listener)?.into()))
    }),
];

/// Accepts by `accept` what a child connects. `--to` is where to listen.
fn taken(request: &Request, accept: impl FnOnce(&TcpListener) -> Result<TcpStream>) -> Result<Truth> {
    let at = request.to.unwrap_or(SocketAddr::new(LOOPBACK, 0));
    let listener = TcpListener::bind(at).with_context(|| format!("listening at {at}"))?;
    let address = listener.local_addr()?;
    let child = Child::start(|| {
        let mut stream = TcpStream::connect(address)?;
        // Open until the other side has told of it, so that its peer is still there to be asked for.
        stream.read_to_end(&mut Vec::new())?;
        Ok(Truth::new().with("peer_port", stream.local_addr()?.port()))
    })?;
    let stream = accept(&listener)?;
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    drop(stream);
    let pid = number(child.pid);
    let told = child.finish()?;
    ensure!(told.number("peer_port") == Some(peer.port().into()), "the accepted peer is not the child");
    Ok(Truth::new().with_peer("tcp", peer).with_local(local).with("peer_pid", pid))
}
