//! A link both ways, for who listens to what the receiver says.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Link;

/// A stream of bytes in both directions.
pub(in crate::sink::syslog) trait Duplex:
    AsyncRead + AsyncWrite + Send + Unpin
{
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Link {
    /// The connection as it is.
    ///
    /// # Errors
    /// There is none below a datagram.
    pub(in crate::sink::syslog) fn into_duplex(self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Tcp(stream) => Ok(Box::new(stream)),
            Self::Tls(link) => Ok(Box::new(link.into_duplex())),
            Self::Udp(_) | Self::Unix(_) | Self::Journal(_) => {
                Err(io::Error::new(ErrorKind::Unsupported, "datagrams are no stream"))
            }
        }
    }
}
