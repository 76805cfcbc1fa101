//! Listens, asks the loop, answers. One request a connection, few connections at a time.

use std::io;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::request::{self, HEAD_MAX, Path, Request, Status};
use super::text;
use crate::control::{Ask, Place, PlaceError, ask};

/// Most clients of a listener at a time: two scrapers, probes, somebody with curl. Further ones wait to be taken up.
const CLIENTS_MAX: usize = 8;
/// How long a client may take to ask, and to read the answer.
const ASK_MAX: Duration = Duration::from_secs(1);
const READ_MAX: Duration = Duration::from_secs(5);
/// The loop turns every 10 ms; one that has not for this long hangs, or waits for the reader of its events. Nanoseconds.
const STILL_MAX: u64 = 10_000_000_000;
/// Rest after the system refused a connection, which is for want of descriptors.
const REFUSED_REST: Duration = Duration::from_secs(1);
/// Content type of the text format (Prometheus, "Exposition formats").
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const WORDS_TYPE: &str = "text/plain; charset=utf-8";

/// Why nobody can ask there. The agent runs on without.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("cannot listen at {address}: {source}")]
    Address { address: SocketAddr, source: io::Error },
}

/// What the loop leaves for probes, without being asked.
#[derive(Debug, Default)]
pub struct Pulse {
    /// When it turned last, `CLOCK_BOOTTIME` nanoseconds.
    turned: AtomicU64,
    /// Hooks that were attached at the start, and programs that are unhooked now.
    pub attached: AtomicU64,
    pub blind: AtomicU64,
}

impl Pulse {
    /// The loop turned at this time.
    pub fn turned(&self, now: u64) {
        self.turned.store(now, Ordering::Relaxed);
    }

    fn health(&self, now: u64) -> Result<String, String> {
        let still = now.saturating_sub(self.turned.load(Ordering::Relaxed));
        if still <= STILL_MAX {
            return Ok("ok\n".to_owned());
        }
        Err(format!("the loop has not turned for {} s\n", still / 1_000_000_000))
    }

    fn ready(&self, now: u64) -> Result<String, String> {
        let health = self.health(now)?;
        let (attached, blind) = (self.attached.load(Ordering::Relaxed), self.blind.load(Ordering::Relaxed));
        match (attached, blind) {
            (0, _) => Err("no hook is attached\n".to_owned()),
            (_, 0) => Ok(health),
            (_, blind) => Err(format!("{blind} programs of the sensor are unhooked: start it again\n")),
        }
    }
}

/// Whom to ask.
#[derive(Clone, Debug)]
struct Loop {
    asks: mpsc::Sender<Ask>,
    pulse: Arc<Pulse>,
}

/// A place at which monitoring asks. Dropping it closes that.
#[derive(Debug)]
pub struct Server {
    _place: Option<Place>,
    /// None for a socket.
    address: Option<SocketAddr>,
    task: AbortHandle,
}

impl Server {
    /// Answers at a Unix socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The place is another's, or the system refuses it.
    pub fn at_socket(
        path: &FilePath,
        asks: mpsc::Sender<Ask>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, ListenError> {
        let (place, listener) = Place::take(path)?;
        let listener = UnixListener::from_std(listener)
            .map_err(|source| PlaceError::System { path: path.to_owned(), source })?;
        let serve = accept(Loop { asks, pulse }, async move || Ok(listener.accept().await?.0));
        Ok(Self { _place: Some(place), address: None, task: tokio::spawn(serve).abort_handle() })
    }

    /// Answers at a TCP address. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn at_address(
        address: SocketAddr,
        asks: mpsc::Sender<Ask>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Address { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let serve = accept(Loop { asks, pulse }, async move || Ok(listener.accept().await?.0));
        Ok(Self { _place: None, address: Some(bound), task: tokio::spawn(serve).abort_handle() })
    }

    /// Where it listens, port and all; none for a socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept<S>(whom: Loop, next: impl AsyncFn() -> io::Result<S>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match next().await {
            Ok(stream) => {
                let whom = whom.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &whom).await {
                        debug!(%error, "a client of /metrics got no whole answer");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "connections for /metrics cannot be taken up");
                sleep(REFUSED_REST).await;
            }
        }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, whom: &Loop) -> io::Result<()> {
    let request = match timeout(ASK_MAX, head(&mut stream)).await {
        Ok(head) => head?.and_then(|head| request::read(&head)),
        Err(_) => Err(Status::RequestTimeout),
    };
    let is_head = request.is_ok_and(|request| request.is_head);
    let (status, kind, body) = match request {
        Ok(request) => answer(request, whom).await,
        Err(status) => (status, WORDS_TYPE, format!("{}\n", status.line())),
    };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let mut text = format!(
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        status.line(),
        body.len(),
    );
    if !is_head {
        text.push_str(&body);
    }
    let write = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    };
    timeout(READ_MAX, write).await.map_err(io::Error::from)?
}

/// The head as far as its end, or why there is none.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Vec<u8>, Status>> {
    let mut bytes = Vec::with_capacity(512);
    let mut bounded = stream.take(HEAD_MAX as u64);
    loop {
        if let Some(end) = request::head_end(&bytes) {
            bytes.truncate(end);
            return Ok(Ok(bytes));
        }
        if bounded.read_buf(&mut bytes).await? == 0 {
            let is_full = bytes.len() >= HEAD_MAX;
            return Ok(Err(if is_full { Status::HeaderTooLarge } else { Status::BadRequest }));
        }
    }
}

async fn answer(request: Request, whom: &Loop) -> (Status, &'static str, String) {
    let now = crate::host::boot_time();
    let words = match request.path {
        Path::Metrics => match ask(&whom.asks, Ask::Snapshot).await {
            Some(snapshot) => return (Status::Ok, METRICS_TYPE, text::render(&snapshot)),
            None => Err("the agent is ending, or waits for the reader of its events\n".to_owned()),
        },
        Path::Health => whom.pulse.health(now),
        Path::Ready => whom.pulse.ready(now),
    };
    match words {
        Ok(words) => (Status::Ok, WORDS_TYPE, words),
        Err(words) => (Status::Unavailable, WORDS_TYPE, words),
    }
}

#[cfg(test)]
mod tests;
