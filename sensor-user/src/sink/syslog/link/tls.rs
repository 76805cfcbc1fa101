//! The way to a receiver over TLS: the handshake, and what TLS says after it.
//!
//! A receiver that asks for a client certificate judges it when the handshake is over for this host (TLS 1.3,
//! RFC 8446 section 4.4.2.4), and common daemons judge its name later still. So after such a request nothing is
//! sent before [`VERDICT_WAIT`] is over without a refusal.
//!
//! A receiver that closes without `close_notify` has closed: common daemons never send one, and what may have
//! been cut off is sent again as over TCP.

mod stream;

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::closed;
use crate::sink::tls::{self, Answer, Fault, Request, TlsTarget, refusal};

/// How long a refusal of this host's certificate may take after the handshake: a round trip and a look at it.
/// One that takes longer is met as a broken connection, and what was sent is sent again.
const VERDICT_WAIT: Duration = Duration::from_millis(500);

/// An open way to a receiver that has proven who it is.
#[derive(Debug)]
pub(in crate::sink::syslog) struct TlsLink {
    stream: TlsStream<TcpStream>,
    answer: Arc<Answer>,
}

impl TlsLink {
    /// Connects and shakes hands. No message has left this host before the receiver is verified.
    ///
    /// # Errors
    /// That of the connection, or the [`Fault`] that TLS found.
    pub(super) async fn open(target: &TlsTarget) -> io::Result<Self> {
        let (stream, answer) = tls::connect(target, &[]).await?;
        let mut link = Self { stream, answer };
        let request = link.answer.request();
        if request != Request::None
            && let Ok(error) = timeout(VERDICT_WAIT, link.gone()).await
        {
            return Err(refusal(error, request));
        }
        Ok(link)
    }

    /// Resolves when the receiver has gone. Safe to cancel.
    pub(super) async fn gone(&mut self) -> io::Error {
        let mut buffer = [0; 512];
        loop {
            match self.stream.read(&mut buffer).await {
                Ok(0) => return closed(),
                // Receivers do not talk; what one says all the same is not for us.
                Ok(_) => {}
                Err(error) => return self.meaning(error),
            }
        }
    }

    /// Writes one frame whole, unless the receiver has said meanwhile that it will not have it.
    pub(super) async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        poll_fn(|context| self.poll_check(context)).await?;
        let written = async {
            self.stream.write_all(frame).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| self.meaning(error))
    }

    /// Says `close_notify` and that no byte more comes.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown().await.map_err(|error| self.meaning(error))
    }

    /// Ready when all that has come from the receiver has been read; an error when that was its end. What the
    /// kernel has is asked past tokio, which may not have polled the socket since.
    fn poll_check(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 512];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(Err(closed())),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.meaning(error))),
                Poll::Pending if self.kernel_has_nothing() => return Poll::Ready(Ok(())),
                // tokio learns of it in its next turn and wakes this task.
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn kernel_has_nothing(&self) -> bool {
        let (socket, _) = self.stream.get_ref();
        let mut byte = [0; 1];
        let peeked = recv(socket, &mut byte, RecvFlags::DONTWAIT | RecvFlags::PEEK);
        matches!(peeked, Err(rustix::io::Errno::AGAIN))
    }

    fn meaning(&self, error: io::Error) -> io::Error {
        match Fault::find(&error, self.answer.request()) {
            Some(fault) => fault.into(),
            // An end without `close_notify`; tokio-rustls words it as advice to programmers.
            None if error.kind() == ErrorKind::UnexpectedEof => closed(),
            None => error,
        }
    }
}
