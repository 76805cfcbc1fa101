//! Where messages leave the process: the terminal, a file or pipe, a syslog receiver.
//!
//! # The contract of a sink
//!
//! 1. A sink has a name, a queue of its own of [`QUEUE_MAX`] messages and runs on its own (a tokio
//!    task, or a thread where the writing blocks). Nothing that happens to it holds up the agent or
//!    another sink: [`SinkSet::deliver`] never waits.
//! 2. It delivers in the order of [`Message`] sequence numbers. It may deliver twice (after a broken
//!    connection), always under the same id; it never reorders.
//! 3. Every message it was given is either delivered or counted under a reason ([`LossReason`]):
//!    [`SinkSet::losses`] tells the agent, which makes a notice of it. There is no silent third way.
//! 4. A receiver that is away is told of once when it goes and once when it is back, by the log.
//! 5. When its queue closes it delivers what it still holds, confirms what it can, and ends.
//!    [`SinkSet::flush`] bounds that by a deadline; what is left then is counted.
//! 6. No text that came from a watched process reaches its receiver unescaped: see [`text`] for
//!    terminals and [`json`] for everything else.
//!
//! Not here: what is worth telling (`story`), or storing messages over a restart.

pub mod document;
pub mod json;
pub mod origin;
pub mod stdout;
pub mod stream;
pub mod syslog;
pub mod tally;
pub mod text;

#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

pub use origin::Origin;
pub use stdout::Format;
pub use stream::Stream;
pub use syslog::{Facility, SyslogTarget, TlsError};
pub use tally::{LossReason, Tally};

use crate::alert::{Loss, Message};

/// Messages a sink may be behind before it loses some. An alert takes some 10 KiB with all it
/// shares, so this bounds a stalled sink to about 10 MiB; at ten alerts a second it bridges an
/// outage of a minute and a half.
pub const QUEUE_MAX: usize = 1024;

/// A sink to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout(Format),
    Syslog { target: SyslogTarget, facility: Facility },
}

impl Target {
    /// The name under which its losses are told (`syslog udp://127.0.0.1:514`).
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "stdout".to_owned(),
            Self::Syslog { target, .. } => format!("syslog {target}"),
        }
    }
}

/// All sinks of the agent.
#[derive(Debug)]
pub struct SinkSet {
    lanes: Vec<Lane>,
    reader_gone: watch::Receiver<bool>,
    closing: watch::Sender<bool>,
}

/// The agent's end of one sink.
#[derive(Debug)]
struct Lane {
    name: String,
    queue: mpsc::Sender<Arc<Message>>,
    tally: Arc<Tally>,
    /// Resolves when the sink has ended.
    ended: oneshot::Receiver<()>,
    /// None for a sink on a thread.
    task: Option<AbortHandle>,
}

/// A sink's end: what it is to deliver and where it accounts for it.
#[derive(Debug)]
pub struct Inbox {
    pub(crate) queue: mpsc::Receiver<Arc<Message>>,
    pub(crate) tally: Arc<Tally>,
    reader_gone: watch::Sender<bool>,
    /// True from when the agent ends: nothing will come any more, and there is little time.
    pub(crate) closing: watch::Receiver<bool>,
    /// Dropped with the inbox, which tells [`Lane::ended`].
    _ended: oneshot::Sender<()>,
}

impl Inbox {
    /// Nobody reads this sink any more, and nobody will: the agent has no reason to go on.
    pub(crate) fn reader_is_gone(&self) {
        self.reader_gone.send_replace(true);
    }
}

impl SinkSet {
    /// Starts every target. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the thread for standard output cannot be made. A receiver that is away is no error.
    pub fn start(targets: &[Target], origin: &Arc<Origin>) -> std::io::Result<Self> {
        let (gone, reader_gone) = watch::channel(false);
        let (closing, close) = watch::channel(false);
        let mut lanes = Vec::with_capacity(targets.len());
        for target in targets {
            let (mut lane, inbox) = lane(target.name(), &gone, &close);
            match target {
                Target::Stdout(format) => stdout::start(*format, Arc::clone(origin), inbox)?,
                Target::Syslog { target, facility } => {
                    let sink = syslog::Syslog::new(target.clone(), *facility, Arc::clone(origin));
                    lane.task = Some(tokio::spawn(sink.run(inbox)).abort_handle());
                }
            }
            lanes.push(lane);
        }
        Ok(Self { lanes, reader_gone, closing })
    }

    /// Hands a message to every sink and returns at once. A sink that is [`QUEUE_MAX`] behind does
    /// not get it, and counts that.
    pub fn deliver(&self, message: &Arc<Message>) {
        for lane in &self.lanes {
            lane.tally.accept();
            match lane.queue.try_send(Arc::clone(message)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => lane.tally.lose(LossReason::QueueFull, 1),
                Err(mpsc::error::TrySendError::Closed(_)) => lane.tally.lose(LossReason::Closed, 1),
            }
        }
    }

    /// What sinks lost since the last call, ready for a notice; empty when nothing was lost.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        self.lanes.iter().flat_map(|lane| lane.tally.take_losses(&lane.name)).collect()
    }

    /// Resolves when the reader of standard output has closed its end (`tidewaiter run | head`):
    /// the agent then ends in order. Never resolves otherwise. Safe to cancel.
    pub async fn reader_gone(&self) {
        let mut gone = self.reader_gone.clone();
        if gone.wait_for(|gone| *gone).await.is_err() {
            // Every sink has ended without that: there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }

    /// Closes every queue and waits until the sinks have delivered what they hold, `deadline` long
    /// at most. Returns what was lost since the last [`SinkSet::losses`], with what was left.
    pub async fn flush(self, deadline: Duration) -> Vec<Loss> {
        let until = Instant::now() + deadline;
        self.closing.send_replace(true);
        let closed: Vec<_> = self
            .lanes
            .into_iter()
            .map(|Lane { name, queue, tally, ended, task }| {
                drop(queue);
                (name, tally, ended, task)
            })
            .collect();
        let mut losses = Vec::new();
        for (name, tally, ended, task) in closed {
            let in_time = timeout_at(until, ended).await.is_ok();
            if !in_time && let Some(task) = task {
                task.abort();
            }
            tally.lose_outstanding();
            losses.extend(tally.take_losses(&name));
        }
        losses
    }

    /// A set whose only sink is the test itself.
    #[cfg(test)]
    pub(crate) fn with_one_lane(name: &str) -> (Self, Inbox) {
        let (gone, reader_gone) = watch::channel(false);
        let (closing, close) = watch::channel(false);
        let (lane, inbox) = lane(name.to_owned(), &gone, &close);
        (Self { lanes: vec![lane], reader_gone, closing }, inbox)
    }
}

/// Both ends of a sink that has not been started.
fn lane(name: String, gone: &watch::Sender<bool>, close: &watch::Receiver<bool>) -> (Lane, Inbox) {
    let (queue, receiver) = mpsc::channel(QUEUE_MAX);
    let (alive, ended) = oneshot::channel();
    let tally = Arc::new(Tally::default());
    let inbox = Inbox {
        queue: receiver,
        tally: Arc::clone(&tally),
        reader_gone: gone.clone(),
        closing: close.clone(),
        _ended: alive,
    };
    (Lane { name, queue, tally, ended, task: None }, inbox)
}
