//! The link as a stream of bytes, whose errors say what TLS has found.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TlsLink;
use crate::sink::syslog::link::Duplex;

/// The stream. A type of its own: the link's own ways to write and to end are others.
#[derive(Debug)]
struct Stream(TlsLink);

impl TlsLink {
    /// What receivers who talk are listened to by.
    pub(in crate::sink::syslog) fn into_duplex(self) -> impl Duplex {
        Stream(self)
    }
}

impl Stream {
    fn told<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        polled.map_err(|error| self.0.meaning(error))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0.stream).poll_read(context, buffer);
        self.told(polled)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.0.stream).poll_write(context, bytes);
        self.told(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0.stream).poll_flush(context);
        self.told(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0.stream).poll_shutdown(context);
        self.told(polled)
    }
}
