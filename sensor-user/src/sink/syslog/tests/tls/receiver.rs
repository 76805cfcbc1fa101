//! Receivers on loopback that speak TLS, or feign to, and keep every byte that came.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::authority::{Authority, Leaf};

/// Both versions that are spoken.
pub(super) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

/// How a receiver answers.
#[derive(Clone)]
pub(super) enum Manner {
    Tls(Arc<ServerConfig>),
    /// The same, but what follows the first bytes is read after this time only.
    Late(Arc<ServerConfig>, Duration),
    /// These bytes to whatever comes first, then nothing; none: nothing at all.
    Bytes(&'static [u8]),
    /// It closes when something has come.
    Close,
}

/// TLS as this certificate has it; `clients` signs the certificates that it wants of others.
pub(super) fn speaks(
    leaf: &Leaf,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> Manner {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), provider)
                .build()
                .unwrap(),
        ),
    };
    Manner::Tls(Arc::new(builder.with_single_cert(vec![leaf.der()], leaf.key()).unwrap()))
}

/// A receiver that takes one connection after another.
pub(super) struct Receiver {
    pub(super) listener: TcpListener,
    manner: Manner,
}

/// What came over all connections.
#[derive(Clone, Default)]
pub(super) struct Came {
    /// Bytes as they travelled, by connection.
    pub(super) raw: Arc<Mutex<Vec<Vec<u8>>>>,
    /// What TLS made of them: application data.
    pub(super) data: Arc<Mutex<Vec<u8>>>,
}

impl Receiver {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::start_at(manner, 0).await
    }

    pub(super) async fn start_at(manner: Manner, port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { listener: TcpListener::bind(address).await.unwrap(), manner }
    }

    pub(super) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection, the handshake done.
    pub(super) async fn accept(&self) -> TlsStream<TcpStream> {
        let Manner::Tls(config) = &self.manner else { panic!("it does not speak TLS") };
        let (stream, _) = self.listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::clone(config)).accept(stream).await.unwrap()
    }

    /// Answers everybody, in a task of its own that ends with the test.
    pub(super) fn attend(self) -> Came {
        let came = Came::default();
        let kept = came.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = self.listener.accept().await.unwrap();
                let (manner, kept) = (self.manner.clone(), kept.clone());
                let index = {
                    let mut raw = kept.raw.lock().unwrap();
                    raw.push(Vec::new());
                    raw.len() - 1
                };
                let late = if let Manner::Late(_, time) = manner { time } else { Duration::ZERO };
                let recorder = Recorder {
                    stream,
                    index,
                    raw: Arc::clone(&kept.raw),
                    delay: Box::pin(tokio::time::sleep(late)),
                };
                tokio::spawn(answer(manner, recorder, kept));
            }
        });
        came
    }
}

async fn answer(manner: Manner, mut stream: Recorder, came: Came) {
    let mut data = Vec::new();
    match manner {
        Manner::Tls(config) | Manner::Late(config, _) => {
            if let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await {
                let _ = stream.read_to_end(&mut data).await;
            }
        }
        Manner::Bytes(bytes) => {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Manner::Close => {
            let _ = stream.read(&mut [0; 4096]).await;
        }
    }
    came.data.lock().unwrap().extend(data);
}

/// Keeps what is read.
struct Recorder {
    stream: TcpStream,
    index: usize,
    raw: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Of all but the first bytes.
    delay: Pin<Box<tokio::time::Sleep>>,
}

impl AsyncRead for Recorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_first = self.raw.lock().unwrap()[self.index].is_empty();
        if !is_first && self.delay.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.raw.lock().unwrap()[self.index].extend_from_slice(&buffer.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
