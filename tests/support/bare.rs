//! Bare sockets for the tools that speak no protocol: one TCP port gives the payload to whoever connects,
//! one keeps what it is sent, one UDP port keeps the first datagram.
//!
//! They live in the tests' own process, bound inside the tests' network namespace.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::network::Network;

/// Gives the payload and closes.
pub const GIVING: u16 = 7001;
/// TCP: keeps all it is sent until the other side is done, as `upload/` [`KEPT`], then closes.
/// UDP: keeps the first datagram, as `upload/` [`KEPT_DATAGRAM`].
pub const KEEPING: u16 = 7002;

pub const KEPT: &str = "bare.bin";
pub const KEPT_DATAGRAM: &str = "bare-datagram.bin";

/// A client that says nothing for this long is given up, so that the next one is served.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Longest datagram of UDP over IPv4.
const DATAGRAM_MAX: usize = 65_507;

/// The sockets. Their threads wait for clients until the tests' process ends.
#[derive(Debug)]
pub struct Bare;

impl Bare {
    /// Binds all three in `network`; what comes in is kept in `folder`.
    ///
    /// # Errors
    /// A port cannot be bound.
    pub fn start(network: &Network, payload: &[u8], folder: &Path) -> Result<Self> {
        let any = |port| (Ipv4Addr::UNSPECIFIED, port);
        let (giving, keeping, datagrams) = network.within(|| {
            Ok((
                TcpListener::bind(any(GIVING))?,
                TcpListener::bind(any(KEEPING))?,
                UdpSocket::bind(any(KEEPING))?,
            ))
        })?;
        // A client that breaks off is that client's matter: the test that used it will miss its bytes.
        let payload = payload.to_vec();
        serve(giving, move |mut stream| {
            stream.write_all(&payload)?;
            Ok(stream.shutdown(Shutdown::Both)?)
        });
        let kept = folder.join(KEPT);
        serve(keeping, move |stream| keep(stream, &kept));
        let kept = folder.join(KEPT_DATAGRAM);
        thread::spawn(move || -> Result<()> {
            let mut buffer = vec![0; DATAGRAM_MAX];
            let length = datagrams.recv(&mut buffer)?;
            buffer.truncate(length);
            Ok(fs::write(kept, buffer)?)
        });
        Ok(Self)
    }
}

fn serve(listener: TcpListener, mut client: impl FnMut(TcpStream) -> Result<()> + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop(client(stream));
        }
    });
}

/// Closes only when the bytes are in the file: a client that ended well has delivered them.
fn keep(mut stream: TcpStream, path: &Path) -> Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(fs::write(path, bytes)?)
}
