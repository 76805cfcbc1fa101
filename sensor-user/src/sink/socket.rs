//! TCP connections to receivers, which notice when the other end is gone.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// Data that the other host's kernel has not acknowledged for this long breaks the connection (`TCP_USER_TIMEOUT`,
/// RFC 5482), and so does a write that finds no room for this long.
pub(super) const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(20);

/// A receiver to which no connection stands within this time is away.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An idle connection is probed after this long, so that a receiver that vanished without a
/// word is missed before the next alert, and middle boxes keep the connection.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Opens one; every address of a name is tried.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let milliseconds = u32::try_from(ACKNOWLEDGE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(&stream, milliseconds)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
    Ok(stream)
}
