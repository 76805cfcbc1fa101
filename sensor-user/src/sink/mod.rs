//! Where messages leave the process: the terminal, a file or pipe, a syslog receiver, a webhook, a collector, a topic.
//!
//! # The contract of a sink
//!
//! 1. A sink has a name and runs on its own (a tokio task, or a thread where the writing blocks). Nothing that happens to
//!    it holds up the agent or another sink: [`SinkSet::deliver`] never waits.
//! 2. Standard output is live: it has a queue of [`QUEUE_MAX`] messages, and what it does not take in time is lost and
//!    counted. All others read from the [`outbox`](crate::outbox), which keeps messages until they confirm them.
//! 3. It delivers in the order of [`Message`] sequence numbers. It may deliver twice (after a broken
//!    connection), always under the same id.
//! 4. Every message it was given is either delivered or counted under a reason: [`SinkSet::losses`] tells the agent,
//!    which makes a notice of it. There is no silent third way.
//! 5. A receiver that is away is told of once when it goes and once when it is back, by the log.
//! 6. When the agent ends it delivers what it still holds, confirms what it can, and ends. [`SinkSet::flush`] bounds that
//!    by a deadline; what the disk has goes out at the next start, the rest is counted.
//! 7. No text that came from a watched process reaches its receiver unescaped: see [`text`] for
//!    terminals and [`json`] for everything else.
//!
//! Not here: what is worth telling (`story`).

pub mod document;
pub mod encode;
pub mod file;
pub mod form;
pub mod http;
pub mod json;
pub mod kafka;
pub mod origin;
pub mod otlp;
pub mod standing;
mod reach;
pub mod state;
pub mod stdout;
pub mod stream;
pub mod syslog;
pub mod tally;
pub mod text;
pub mod tls;
pub mod webhook;

mod authority;
mod outage;
mod secret;
mod probe;
mod socket;

#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

pub use file::FileTarget;
pub use form::Form;
pub use http::FileError;
pub use kafka::KafkaTarget;
pub use origin::Origin;
pub use otlp::OtlpTarget;
pub use reach::Reach;
pub use standing::SinkStanding;
pub use state::Receiver;
pub use stdout::Format;
pub use stream::Stream;
pub use syslog::{Facility, SyslogReceiver, SyslogTarget};
pub use tally::{LossReason, Tally};
pub use tls::TlsError;
pub use webhook::WebhookTarget;

use crate::alert::{Backlog, Loss, Message};
use crate::outbox::{Opened, Outbox, Reader};
use crate::redact::Redactor;

/// Messages that standard output may be behind before it loses some. An alert takes some 10 KiB with all it
/// shares, so this bounds a stalled reader to about 10 MiB.
pub const QUEUE_MAX: usize = 1024;

/// A sink to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout(Format),
    Syslog { receiver: SyslogReceiver, facility: Facility },
    File(FileTarget),
    Webhook(WebhookTarget),
    Otlp(OtlpTarget),
    Kafka(KafkaTarget),
}

impl Target {
    /// The name under which its losses are told (`syslog udp://127.0.0.1:514`).
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "stdout".to_owned(),
            // One receiver may get two forms.
            Self::Syslog { receiver: SyslogReceiver { target, form: Form::Ecs }, .. } => {
                format!("syslog {target}")
            }
            Self::Syslog { receiver: SyslogReceiver { target, form }, .. } => {
                format!("syslog {target} {}", form.name())
            }
            Self::File(target) => format!("file {}", target.path.display()),
            Self::Webhook(target) => format!("webhook {target}"),
            Self::Otlp(target) => format!("otlp {target}"),
            Self::Kafka(target) => format!("kafka {target}"),
        }
    }

    /// Its messages are kept until its receiver has them.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        match self {
            Self::Stdout(_) => false,
            Self::Syslog { .. } | Self::File(_) | Self::Webhook(_) | Self::Otlp(_) | Self::Kafka(_) => true,
        }
    }

    /// Reads the files that it takes to connect. What is read here shows its mistakes before anything else happens.
    ///
    /// # Errors
    /// A file that cannot be used, named with the reason.
    pub fn prepare(&self) -> Result<(), FileError> {
        match self {
            Self::Stdout(_) | Self::File(_) => Ok(()),
            Self::Syslog { receiver, .. } => Ok(receiver.target.prepare()?),
            Self::Webhook(target) => target.receiver.prepare(),
            Self::Otlp(target) => target.receiver.prepare(),
            Self::Kafka(target) => target.prepare(),
        }
    }
}

/// The names of those whose messages are kept, in the order in which [`SinkSet::start`] takes them.
#[must_use]
pub fn kept(targets: &[Target]) -> Vec<String> {
    targets.iter().filter(|target| target.is_kept()).map(Target::name).collect()
}

/// All sinks of the agent.
#[derive(Debug)]
pub struct SinkSet {
    lanes: Vec<Lane>,
    /// None: no sink reads from one.
    outbox: Option<Outbox>,
    /// The door for alerts and notices: behind it nobody has a text of before.
    redactor: Redactor,
    reader_gone: watch::Receiver<bool>,
    closing: watch::Sender<bool>,
}

/// The agent's end of one sink.
#[derive(Debug)]
struct Lane {
    name: String,
    /// None for a sink that reads from the outbox.
    queue: Option<mpsc::Sender<Arc<Message>>>,
    tally: Arc<Tally>,
    /// Resolves when the sink has ended.
    ended: oneshot::Receiver<()>,
    /// None for a sink on a thread.
    task: Option<AbortHandle>,
}

/// The end of a live sink: what it is to deliver and where it accounts for it.
#[derive(Debug)]
pub struct Inbox {
    pub(crate) queue: mpsc::Receiver<Arc<Message>>,
    pub(crate) tally: Arc<Tally>,
    reader_gone: watch::Sender<bool>,
    /// Dropped with the inbox, which tells [`Lane::ended`].
    _ended: oneshot::Sender<()>,
}

/// The end of a sink that reads from the outbox.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) reader: Reader,
    pub(crate) tally: Arc<Tally>,
    /// True from when the agent ends: nothing will come any more, and there is little time.
    pub(crate) closing: watch::Receiver<bool>,
    /// Dropped with the feed, which tells [`Lane::ended`].
    _ended: oneshot::Sender<()>,
}

impl Inbox {
    /// Nobody reads this sink any more, and nobody will: the agent has no reason to go on.
    pub(crate) fn reader_is_gone(&self) {
        self.reader_gone.send_replace(true);
    }
}

impl SinkSet {
    /// Starts every target; `kept` was opened for the names of [`kept`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When a thread cannot be made. A receiver that is away is no error.
    pub fn start(targets: &[Target], origin: &Arc<Origin>, kept: Option<Opened>) -> std::io::Result<Self> {
        let (gone, reader_gone) = watch::channel(false);
        let (closing, close) = watch::channel(false);
        let outbox = kept.map(|kept| kept.start(Arc::clone(origin))).transpose()?;
        let mut lanes = Vec::with_capacity(targets.len());
        let mut readers = outbox.iter().flat_map(Outbox::readers);
        for target in targets {
            let name = target.name();
            match target {
                Target::Stdout(format) => {
                    let (lane, inbox) = lane(name, &gone);
                    stdout::start(*format, Arc::clone(origin), inbox)?;
                    lanes.push(lane);
                }
                kept @ (Target::Syslog { .. }
                | Target::File(_)
                | Target::Webhook(_)
                | Target::Otlp(_)
                | Target::Kafka(_)) => {
                    let Some((mut lane, feed)) = readers.next().map(|reader| fed(name, reader, &close))
                    else {
                        continue;
                    };
                    lane.task = start_fed(kept, origin, feed)?;
                    lanes.push(lane);
                }
            }
        }
        drop(readers);
        Ok(Self { lanes, outbox, redactor: origin.redactor.clone(), reader_gone, closing })
    }

    /// The last number that an earlier run of the same agent id gave.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.outbox.as_ref().map_or(0, Outbox::last)
    }

    /// Hands a message to every sink and returns at once. A live sink that is [`QUEUE_MAX`] behind does
    /// not get it, and counts that.
    pub fn deliver(&self, message: &Arc<Message>) {
        let redacted = self.redactor.message(message).map(Arc::new);
        let message = redacted.as_ref().unwrap_or(message);
        if let Some(outbox) = &self.outbox {
            outbox.deliver(message);
        }
        for (queue, tally) in self.lanes.iter().filter_map(|lane| Some((lane.queue.as_ref()?, &lane.tally))) {
            tally.accept();
            match queue.try_send(Arc::clone(message)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => tally.lose(LossReason::QueueFull, 1),
                Err(mpsc::error::TrySendError::Closed(_)) => tally.lose(LossReason::Closed, 1),
            }
        }
    }

    /// What sinks lost since the last call, ready for a notice; empty when nothing was lost.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses: Vec<Loss> =
            self.lanes.iter().flat_map(|lane| lane.tally.take_losses(&lane.name)).collect();
        losses.extend(self.outbox.iter().flat_map(Outbox::losses));
        losses
    }

    /// Each sink's name, and how many messages it has neither delivered nor lost yet.
    #[must_use]
    pub fn outstanding(&self) -> Vec<Backlog> {
        let mut kept = self.outbox.iter().flat_map(Outbox::backlogs);
        let of = |lane: &Lane| match lane.queue {
            Some(_) => lane.tally.outstanding(),
            None => kept.next().unwrap_or(0),
        };
        let outstanding: Vec<u64> = self.lanes.iter().map(of).collect();
        let names = self.lanes.iter().map(|lane| lane.name.clone());
        names.zip(outstanding).map(|(name, outstanding)| Backlog { name, outstanding }).collect()
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
    /// at most. Returns what was lost since the last [`SinkSet::losses`], with what was left and is kept nowhere.
    pub async fn flush(mut self, deadline: Duration) -> Vec<Loss> {
        let until = Instant::now() + deadline;
        self.closing.send_replace(true);
        self.outbox.iter_mut().for_each(Outbox::close);
        self.lanes.iter_mut().for_each(|lane| lane.queue = None);
        let mut losses = Vec::new();
        for Lane { name, tally, ended, task, .. } in self.lanes {
            let in_time = timeout_at(until, ended).await.is_ok();
            if !in_time && let Some(task) = task {
                task.abort();
            }
            tally.lose_outstanding();
            losses.extend(tally.take_losses(&name));
        }
        if let Some(outbox) = self.outbox {
            let finish = tokio::task::spawn_blocking(|| outbox.finish());
            match timeout_at(until + OUTBOX_END, finish).await {
                Ok(Ok(rest)) => losses.extend(rest),
                Ok(Err(error)) => warn!(%error, "how far the receivers came is not written down"),
                Err(_) => warn!("the disk does not answer: how far the receivers came is not written down"),
            }
        }
        losses
    }

    /// The last number that sinks can see.
    #[cfg(test)]
    pub(crate) fn kept_up_to(&self) -> u64 {
        self.outbox.as_ref().map_or(0, Outbox::published)
    }

    /// A set whose only sink is the test itself.
    #[cfg(test)]
    pub(crate) fn with_one_lane(name: &str) -> (Self, Inbox) {
        let (gone, reader_gone) = watch::channel(false);
        let (closing, _) = watch::channel(false);
        let (lane, inbox) = lane(name.to_owned(), &gone);
        (Self { lanes: vec![lane], outbox: None, redactor: Redactor::default(), reader_gone, closing }, inbox)
    }
}

/// How long writing down the receivers' positions may hold up the end, beyond the deadline of the sinks.
const OUTBOX_END: Duration = Duration::from_millis(500);

/// Both ends of a live sink that has not been started.
fn lane(name: String, gone: &watch::Sender<bool>) -> (Lane, Inbox) {
    let (queue, receiver) = mpsc::channel(QUEUE_MAX);
    let (alive, ended) = oneshot::channel();
    let tally = Arc::new(Tally::default());
    let (reader_gone, own) = (gone.clone(), Arc::clone(&tally));
    let inbox = Inbox { queue: receiver, tally: own, reader_gone, _ended: alive };
    (Lane { name, queue: Some(queue), tally, ended, task: None }, inbox)
}

/// Starts a sink that reads from the outbox; returns its task where it is none of a thread.
fn start_fed(target: &Target, origin: &Origin, feed: Feed) -> std::io::Result<Option<AbortHandle>> {
    let task = match target {
        Target::Stdout(_) => None,
        Target::File(target) => {
            file::start(target.clone(), feed)?;
            None
        }
        Target::Syslog { receiver, facility } => {
            let sink = syslog::Syslog::new(receiver.target.clone(), *facility, receiver.form);
            Some(tokio::spawn(sink.run(feed)))
        }
        Target::Webhook(target) => Some(tokio::spawn(webhook::run(target.clone(), feed))),
        Target::Otlp(target) => Some(tokio::spawn(otlp::run(target.clone(), feed))),
        Target::Kafka(target) => Some(tokio::spawn(kafka::run(target.clone(), origin.agent_id, feed))),
    };
    Ok(task.map(|task| task.abort_handle()))
}

/// Both ends of a sink that reads from the outbox.
fn fed(name: String, reader: Reader, close: &watch::Receiver<bool>) -> (Lane, Feed) {
    let (alive, ended) = oneshot::channel();
    let tally = Arc::new(Tally::default());
    let feed = Feed { reader, tally: Arc::clone(&tally), closing: close.clone(), _ended: alive };
    (Lane { name, queue: None, tally, ended, task: None }, feed)
}
