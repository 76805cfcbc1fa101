//! The handshake with a receiver, as every transport over TLS has it.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Answer, Fault, Request, TlsTarget};
use crate::sink::socket;

/// A receiver that has not finished the handshake within this time does not speak TLS: three round trips and
/// a signature or two, even over a satellite. Below the time for opening a link, so that it is told as what it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects and shakes hands; `protocols` is what is offered by ALPN (RFC 7301), none for syslog. Nothing but the
/// handshake has left this host when it returns. With the connection comes what the receiver asked this host for.
///
/// # Errors
/// That of the connection, or the [`Fault`] that TLS found.
pub(in crate::sink) async fn connect(
    target: &TlsTarget,
    protocols: &[&[u8]],
) -> io::Result<(TlsStream<TcpStream>, Arc<Answer>)> {
    let connector = target.connector().map_err(io::Error::other)?;
    let stream = socket::connect(&target.host, target.port).await?;
    let (config, answer) = connector.session(protocols);
    let handshake = TlsConnector::from(config).connect(target.name(), stream);
    match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok((stream, answer)),
        Ok(Err(error)) => Err(refusal(error, answer.request())),
        Err(_) => Err(Fault::Silent.into()),
    }
}

/// What an error before the first message means.
pub(in crate::sink) fn refusal(error: io::Error, request: Request) -> io::Error {
    if let Some(fault) = Fault::find(&error, request) {
        return fault.into();
    }
    if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
        return Fault::of_closing(request).into();
    }
    error
}
