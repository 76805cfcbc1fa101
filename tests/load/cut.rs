//! A way to a receiver that breaks in the middle of a frame: after a number of bytes that nobody knows, with a reset.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::net::sockopt::set_socket_linger;

use crate::marker::Random;

/// Most bytes of a connection before it is cut: some two hundred messages.
const BYTES_MAX: u64 = 1 << 19;

/// Forwards connections, and cuts each.
pub(crate) struct Cutter {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicU32>,
}

impl Cutter {
    /// Listens on loopback for as long as the tests run.
    pub(crate) fn start(receiver: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let cuts = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&cuts);
        std::thread::spawn(move || {
            let mut random = Random(0x0123_4567_89ab_cdef);
            for sender in listener.incoming().flatten() {
                let bytes = random.below(BYTES_MAX);
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    if matches!(forward(sender, receiver, bytes), Ok(true)) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self { address, cuts })
    }

    pub(crate) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// Forwards so many bytes and cuts the connection then; false: both sides ended it before.
fn forward(mut sender: TcpStream, receiver: SocketAddr, mut left: u64) -> Result<bool> {
    let mut receiver = TcpStream::connect(receiver)?;
    let is_cut = Arc::new(AtomicBool::new(false));
    let back = std::thread::spawn({
        let (mut from, mut to) = (receiver.try_clone()?, sender.try_clone()?);
        let is_cut = Arc::clone(&is_cut);
        move || {
            let copied = std::io::copy(&mut from, &mut to);
            // An end is the receiver's word that it has read all: never said in its place.
            if copied.is_ok() && !is_cut.load(Ordering::SeqCst) {
                _ = to.shutdown(Shutdown::Write);
            }
        }
    });
    let mut buffer = [0; 4096];
    loop {
        let count = sender.read(&mut buffer)?;
        if count == 0 {
            receiver.shutdown(Shutdown::Write)?;
            _ = back.join();
            return Ok(false);
        }
        let part = u64::try_from(count)?.min(left);
        receiver.write_all(buffer.get(..usize::try_from(part)?).unwrap_or_default())?;
        left -= part;
        if left == 0 {
            is_cut.store(true, Ordering::SeqCst);
            // Closed with this, both are reset.
            set_socket_linger(&sender, Some(Duration::ZERO))?;
            set_socket_linger(&receiver, Some(Duration::ZERO))?;
            receiver.shutdown(Shutdown::Read)?;
            _ = back.join();
            return Ok(true);
        }
    }
}
