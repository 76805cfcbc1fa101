//! The agent's end: takes up connections, asks the loop for what they want, and has it written by a thread of
//! its own.

use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::PlaceError;
use super::answer::{self, Answer, Writer};
use super::place::Place;
use super::protocol::{About, REQUEST_MAX, Request, Row, Spoken, VERSION};
use crate::metric::snapshot::Snapshot;
use crate::pipeline::{Picture, RuleStats, SuppressedMatch};
use crate::sink::Origin;

/// Most clients at a time; further ones wait to be taken up. A picture of a full host takes some
/// megabytes while it is written.
const CLIENTS_MAX: usize = 4;
/// How long a client may take to ask.
const ASK_MAX: Duration = Duration::from_secs(1);
/// How long a client may not read anything.
const STALL_MAX: Duration = Duration::from_secs(2);
/// How long the loop may take for an answer: it may be waiting for the reader of its events.
const LOOP_MAX: Duration = Duration::from_secs(5);
/// Rest after the system refused a connection, which is for want of descriptors.
const REFUSED_REST: Duration = Duration::from_secs(1);

/// What somebody wants; whoever holds the tables sends it.
#[derive(Debug)]
pub enum Ask {
    Picture(oneshot::Sender<Picture>),
    Rules(oneshot::Sender<RuleStats>),
    /// With the time of the answer (`CLOCK_BOOTTIME`, nanoseconds).
    Suppressed(oneshot::Sender<(u64, Vec<SuppressedMatch>)>),
    /// How the agent stands.
    Snapshot(oneshot::Sender<Box<Snapshot>>),
}

/// Most questions that wait for the loop; who asks further ones waits.
pub const ASKS_MAX: usize = 8;

/// The socket and who serves it. Dropping it closes the door.
#[derive(Debug)]
pub struct Server {
    _place: Place,
    task: AbortHandle,
}

impl Server {
    /// Opens the door. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The place is another's, or the system refuses it.
    pub fn start(path: &Path, origin: Arc<Origin>, asks: mpsc::Sender<Ask>) -> Result<Self, PlaceError> {
        let (place, listener) = Place::take(path)?;
        let listener = UnixListener::from_std(listener)
            .map_err(|source| PlaceError::System { path: path.to_owned(), source })?;
        let writer = Arc::new(Writer::new(origin));
        let task = tokio::spawn(accept(listener, asks, writer)).abort_handle();
        Ok(Self { _place: place, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, asks: mpsc::Sender<Ask>, writer: Arc<Writer>) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (asks, writer) = (asks.clone(), Arc::clone(&writer));
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &asks, writer).await {
                        debug!(%error, "a client of the control socket got no whole answer");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "the control socket cannot be taken up");
                tokio::time::sleep(REFUSED_REST).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, asks: &mpsc::Sender<Ask>, writer: Arc<Writer>) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    if user != 0 && user != geteuid().as_raw() {
        return refuse(stream, format!("user {user} is neither root nor the agent's own")).await;
    }
    let request = match request(&mut stream).await? {
        Ok(request) => request,
        Err(reason) => return refuse(stream, reason).await,
    };
    let answer = match request.about {
        About::Picture { is_host_wanted } => {
            ask(asks, Ask::Picture).await.map(|picture| Answer::Picture(picture, is_host_wanted))
        }
        About::Rules => ask(asks, Ask::Rules).await.map(Answer::Rules),
        About::Suppressed => ask(asks, Ask::Suppressed).await.map(|(now, of)| Answer::Suppressed(now, of)),
        About::Status => ask(asks, Ask::Snapshot).await.map(Answer::Status),
    };
    let Some(answer) = answer else {
        return refuse(stream, "the agent is ending, or waits for the reader of its events".to_owned()).await;
    };
    let stream = stream.into_std()?;
    let written = tokio::task::spawn_blocking(move || write(&writer, answer, stream));
    written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Asks the loop; none: it does not answer.
pub(crate) async fn ask<T>(
    asks: &mpsc::Sender<Ask>,
    ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        asks.send(ask(reply)).await.ok()?;
        answer.await.ok()
    };
    timeout(LOOP_MAX, asked).await.ok().flatten()
}

/// What a client asks for, or why that is not answered.
async fn request(stream: &mut UnixStream) -> io::Result<Result<Request, String>> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(stream.take(REQUEST_MAX as u64));
    timeout(ASK_MAX, bounded.read_until(b'\n', &mut line)).await.map_err(io::Error::from)??;
    Ok(understand(&line))
}

fn understand(line: &[u8]) -> Result<Request, String> {
    let senseless = |error| format!("the request makes no sense: {error}");
    match serde_json::from_slice::<Spoken>(line) {
        Ok(Spoken { version: VERSION }) => serde_json::from_slice(line).map_err(senseless),
        Ok(Spoken { version }) => Err(format!("the agent speaks version {VERSION}, not {version}")),
        Err(error) => Err(senseless(error)),
    }
}

async fn refuse(mut stream: UnixStream, reason: String) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Row::Refusal { reason })?;
    line.push(b'\n');
    timeout(STALL_MAX, stream.write_all(&line)).await.map_err(io::Error::from)?
}

/// On a thread of its own: it may block.
fn write(writer: &Writer, answer: Answer, stream: BlockingStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(STALL_MAX))?;
    answer::write(writer, answer, stream)
}

#[cfg(test)]
mod tests;
