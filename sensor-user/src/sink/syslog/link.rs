//! The way to one receiver: opening it, writing to it, noticing that it has gone.
//!
//! What a successful write means differs: a local socket has the message; UDP knows nothing, and a
//! closed port shows as an error on a later call; TCP has it in this kernel's buffer only, and the
//! first write after the receiver died succeeds and is lost. [`Link::check`] and [`Link::gone`] read
//! what the kernel has learned since. TLS has all of that of TCP, and [`tls`] what comes on top.

mod duplex;
mod tls;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, lookup_host};
use tokio::time::timeout;

pub(super) use self::duplex::Duplex;
use self::tls::TlsLink;
use super::{SyslogTarget, journal};
use crate::sink::socket::{self, ACKNOWLEDGE_TIMEOUT, CONNECT_TIMEOUT};

/// TCP: how long to wait at the end for the receiver to close too, which says that it has read all.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// An open way to a receiver.
#[derive(Debug)]
pub(super) enum Link {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<TlsLink>),
    Unix(UnixDatagram),
    Journal(UnixDatagram),
}

impl Link {
    /// Opens it; every address of a name is tried.
    pub(super) async fn open(target: &SyslogTarget) -> io::Result<Self> {
        match timeout(CONNECT_TIMEOUT, connect(target)).await {
            Ok(link) => link,
            Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "it does not answer")),
        }
    }

    /// Whether opening it has shown that somebody is there.
    pub(super) fn proves_receiver(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Tls(_) | Self::Unix(_) | Self::Journal(_) => true,
            Self::Udp(_) => false,
        }
    }

    /// After how long without an error a written frame counts as received.
    pub(super) fn confirms_after(target: &SyslogTarget) -> Duration {
        match target {
            SyslogTarget::Unix { .. } | SyslogTarget::Journal { .. } => Duration::ZERO,
            // A refusal takes one round trip; longer ones than this are rare, and mean one loss.
            SyslogTarget::Udp { .. } => Duration::from_millis(300),
            // Longer than the kernel waits for an acknowledgement: what is older has been acknowledged.
            SyslogTarget::Tcp { .. }
            | SyslogTarget::Tls(_)
            // Never asked for these two: they answer.
            | SyslogTarget::Relp { .. }
            | SyslogTarget::Relps(_) => {
                ACKNOWLEDGE_TIMEOUT.saturating_add(Duration::from_secs(10))
            }
        }
    }

    /// How long to listen at the end for what became of what was written last.
    pub(super) fn finishes_within(target: &SyslogTarget) -> Duration {
        Self::confirms_after(target).min(CLOSE_WAIT)
    }

    /// What the kernel knows already, without waiting. To be called before each write. Reads past
    /// tokio, which may not have polled the socket since the receiver closed it.
    pub(super) fn check(&self) -> io::Result<()> {
        let mut buffer = [0; 512];
        let received = match self {
            Self::Udp(socket) => recv(socket, &mut buffer, RecvFlags::DONTWAIT),
            Self::Tcp(stream) => recv(stream, &mut buffer, RecvFlags::DONTWAIT),
            // It asks itself before it writes: what is there must be decrypted first, which may take a turn.
            Self::Tls(_) | Self::Unix(_) | Self::Journal(_) => return Ok(()),
        };
        match received {
            Ok((_, 0)) if matches!(self, Self::Tcp(_)) => Err(closed()),
            // Receivers do not talk; what one says all the same is not for us.
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Resolves when the receiver has gone. Safe to cancel.
    pub(super) async fn gone(&mut self) -> io::Error {
        let mut buffer = [0; 512];
        loop {
            let received = match self {
                Self::Udp(socket) => socket.recv(&mut buffer).await,
                Self::Tcp(stream) => match stream.read(&mut buffer).await {
                    Ok(0) => return closed(),
                    other => other,
                },
                Self::Tls(link) => return link.gone().await,
                Self::Unix(_) | Self::Journal(_) => std::future::pending().await,
            };
            if let Err(error) = received {
                return error;
            }
        }
    }

    /// Writes one frame whole. After an error the link is good for nothing more: part of the frame
    /// may be on its way.
    pub(super) async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let write = async {
            match self {
                Self::Udp(socket) => socket.send(frame).await.map(drop),
                Self::Tcp(stream) => stream.write_all(frame).await,
                Self::Tls(link) => link.write(frame).await,
                Self::Unix(socket) => socket.send(frame).await.map(drop),
                Self::Journal(socket) => journal::send(socket, frame).await,
            }
        };
        match timeout(ACKNOWLEDGE_TIMEOUT, write).await {
            Ok(written) => written,
            Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "it takes nothing more")),
        }
    }

    /// Says that nothing more comes. TCP and TLS: what was written goes out first, and the receiver can still be heard.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        let end = async {
            match self {
                Self::Udp(_) | Self::Unix(_) | Self::Journal(_) => Ok(()),
                Self::Tcp(stream) => stream.shutdown().await,
                Self::Tls(link) => link.end().await,
            }
        };
        match timeout(ACKNOWLEDGE_TIMEOUT, end).await {
            Ok(ended) => ended,
            Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "it takes nothing more")),
        }
    }

    /// Waits at the end for what that tells: TCP and TLS until the receiver has closed too (it has read all then), UDP as
    /// long as a refusal may take. False: nothing was heard, which tells nothing.
    ///
    /// # Errors
    /// The receiver refuses what it was sent, or has lost it.
    pub(super) async fn read_out(&mut self, patience: Duration) -> io::Result<bool> {
        let is_stream = match self {
            Self::Unix(_) | Self::Journal(_) => return Ok(true),
            Self::Udp(_) => false,
            Self::Tcp(_) | Self::Tls(_) => true,
        };
        match timeout(patience, self.gone()).await {
            Ok(error) if is_stream && error.kind() == ErrorKind::UnexpectedEof => Ok(true),
            Ok(error) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

async fn connect(target: &SyslogTarget) -> io::Result<Link> {
    match target {
        SyslogTarget::Unix { path } => Ok(Link::Unix(datagrams(path)?)),
        SyslogTarget::Journal { path } => Ok(Link::Journal(datagrams(path)?)),
        SyslogTarget::Udp { host, port } => {
            let mut last = no_address();
            for address in lookup_host((host.as_str(), *port)).await? {
                let any: std::net::SocketAddr = match address {
                    std::net::SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
                    std::net::SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any).await?;
                match socket.connect(address).await {
                    Ok(()) => return Ok(Link::Udp(socket)),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        SyslogTarget::Tcp { host, port } | SyslogTarget::Relp { host, port } => {
            Ok(Link::Tcp(socket::connect(host, *port).await?))
        }
        SyslogTarget::Tls(target) | SyslogTarget::Relps(target) => {
            Ok(Link::Tls(Box::new(TlsLink::open(target).await?)))
        }
    }
}

fn datagrams(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection")
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "its name has no address")
}
