//! A payload over a connection and a small answer back, and the peer that checks every byte of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, bail, ensure};

use super::local;
use crate::request::Request;
use crate::truth::Truth;

/// Bytes moved unless told.
const BYTES: usize = 1 << 20;

/// Bytes of the answer: few, but enough to be told from none.
const ANSWER: [u8; 100] = [b'a'; 100];

/// The payload's bytes repeat after this many: a prime, so that no buffer's length hides a loss.
const PERIOD: u8 = 251;

/// Bytes that the peer reads at once.
const PIECE: usize = 64 << 10;

/// What is sent.
pub(super) fn payload(request: &Request) -> Vec<u8> {
    (0..PERIOD).cycle().take(request.bytes.unwrap_or(BYTES)).collect()
}

/// Moves all of `bytes`, piece by piece, by a call that takes what it can.
pub(super) fn send_all(bytes: &[u8], mut send: impl FnMut(&[u8]) -> Result<usize>) -> Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match send(rest).with_context(|| format!("sending the bytes from {sent} on"))? {
            0 => bail!("the kernel takes no more than {sent} bytes"),
            more => sent += more,
        }
    }
    Ok(sent)
}

/// The other end of one connection.
pub(super) struct Peer(Option<JoinHandle<Result<usize>>>);

impl Peer {
    /// Accepts one connection, reads it to its end and answers; none where another peer is told.
    pub(super) fn start(listener: Option<TcpListener>) -> Self {
        Self(listener.map(|listener| thread::spawn(move || serve(&listener))))
    }

    /// Waits until it is done, and makes sure that it got `sent` bytes.
    pub(super) fn finish(self, sent: usize) -> Result<()> {
        let Some(peer) = self.0 else { return Ok(()) };
        let Ok(received) = peer.join() else { bail!("the peer panicked") };
        let received = received.context("the peer failed")?;
        ensure!(received == sent, "{sent} bytes were sent and {received} arrived");
        Ok(())
    }
}

fn serve(listener: &TcpListener) -> Result<usize> {
    let (mut stream, _) = listener.accept()?;
    let mut piece = vec![0; PIECE];
    let mut expected = (0..PERIOD).cycle();
    let mut received = 0;
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            break;
        }
        let same = piece.iter().take(length).all(|byte| expected.next() == Some(*byte));
        ensure!(same, "a byte between {received} and {} is another", received + length);
        received += length;
    }
    stream.write_all(&ANSWER)?;
    Ok(received)
}

/// What the acting end of a connection moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) sent: usize,
    pub(super) received: usize,
}

/// Sends by `send`, says that this is all, and reads what comes back until the peer closes.
pub(super) fn exchange(
    mut stream: &TcpStream,
    send: impl FnOnce(&TcpStream) -> Result<usize>,
) -> Result<Moved> {
    let sent = send(stream)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    let received = stream.read_to_end(&mut answer).context("reading the answer")?;
    Ok(Moved { sent, received })
}

/// What is told of a transfer over `stream`.
pub(super) fn told(stream: &TcpStream, to: SocketAddr, moved: Moved) -> Result<Truth> {
    let truth = Truth::new().with_peer("tcp", to).with_local(local(stream)?);
    Ok(truth.with("bytes", moved.sent).with("bytes_sent", moved.sent).with("bytes_received", moved.received))
}
