//! The sink of `tidewaiter events`: every event and notice on standard output, as it happens.
//!
//! Unlike the sinks of alerts it may hold up the agent. There are far too many events to queue them for
//! somebody who is slow, so the agent waits until the reader has taken what it was given: meanwhile the
//! kernel half fills the ring, and what does not fit there is counted and told. Nothing is lost between
//! the ring and the reader, as long as both live.
//!
//! One turn of the agent's loop is one batch and one write. A turn is bounded by the ring's own batch
//! (4096 records, some 8 MiB of JSON), and at most three batches exist: being filled, waiting, being
//! written.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::document::{Document, EventDocument};
use super::stdout::{self, Format, terminal_width};
use super::tally::{LossReason, Tally};
use super::text::{self, View};
use super::{Origin, json};
use crate::alert::{Backlog, Loss, Message};
use crate::event::Event;
use crate::event::selection::Selection;

/// How long the end waits for a slow reader, longer than sinks of alerts may: what it is given last must not
/// end in the middle of a line. A reader that has gone ends it at once.
pub const END_MAX: Duration = Duration::from_secs(30);
/// Batches that wait for the writer.
const WAITING_MAX: usize = 1;

/// The agent's end.
#[derive(Debug)]
pub struct Stream {
    selection: Selection,
    format: Format,
    origin: Arc<Origin>,
    view: View,
    batch: Batch,
    queue: mpsc::Sender<Batch>,
    tally: Arc<Tally>,
    gone: watch::Receiver<bool>,
    /// Resolves when the writer has ended.
    ended: oneshot::Receiver<()>,
}

/// Whole lines.
#[derive(Debug, Default)]
struct Batch {
    text: String,
    lines: u64,
}

/// The writer's end.
struct Writer {
    queue: mpsc::Receiver<Batch>,
    tally: Arc<Tally>,
    gone: watch::Sender<bool>,
    /// Dropped with the writer, which tells [`Stream::ended`].
    _ended: oneshot::Sender<()>,
}

impl Stream {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(format: Format, selection: Selection, origin: Arc<Origin>) -> io::Result<Self> {
        let (stream, writer) = Self::new(format, selection, origin);
        let gone = writer.gone.clone();
        stdout::spawn("stdout-reader", move || {
            stdout::await_reader_gone(&io::stdout());
            gone.send_replace(true);
        })?;
        stdout::spawn("stdout", move || writer.run(&mut io::stdout().lock()))?;
        Ok(stream)
    }

    fn new(format: Format, selection: Selection, origin: Arc<Origin>) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        let (gone, reader_gone) = watch::channel(false);
        let (alive, ended) = oneshot::channel();
        let tally = Arc::new(Tally::default());
        let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        let stream = Self {
            selection,
            format,
            origin,
            view: View { width: terminal_width(), colour, zone: TimeZone::system() },
            batch: Batch::default(),
            queue: sender,
            tally: Arc::clone(&tally),
            gone: reader_gone,
            ended,
        };
        (stream, Writer { queue, tally, gone, _ended: alive })
    }

    /// Whether anybody wants this event: only those need a number and a date.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.selection.has(event)
    }

    /// Adds an event to this turn's batch.
    pub fn event(&mut self, event: &Event, time: Timestamp, sequence: u64) {
        // The door for events: behind it nobody has a text of before.
        let redacted = self.origin.redactor.event(event);
        let (event, count) = redacted.as_ref().map_or((event, 0), |(event, count)| (event, *count));
        match self.format {
            Format::Text => self.batch.text.push_str(&text::event(event, time, &self.view)),
            Format::Json => {
                let document = EventDocument::new(event, time, sequence, &self.origin).redacted(count);
                self.line(&json::encode(&document));
            }
        }
        self.accept();
    }

    /// Adds a notice: never narrowed by what was asked for.
    pub fn message(&mut self, message: &Message) {
        let redacted = self.origin.redactor.message(message);
        let message = redacted.as_ref().unwrap_or(message);
        match self.format {
            Format::Text => self.batch.text.push_str(&text::render(message, &self.view)),
            Format::Json => {
                let line = json::encode(&Document::new(message, &self.origin));
                self.line(&line);
            }
        }
        self.accept();
    }

    fn line(&mut self, line: &str) {
        self.batch.text.push_str(line);
        self.batch.text.push('\n');
    }

    fn accept(&mut self) {
        self.batch.lines += 1;
        self.tally.accept();
    }

    /// Hands the turn's batch over, once the writer has room for it. Safe to cancel: the batch is then lost and
    /// stays accounted as outstanding.
    pub async fn flush(&mut self) {
        if self.batch.lines == 0 {
            return;
        }
        // A window may be resized.
        self.view.width = terminal_width();
        if let Ok(room) = self.queue.reserve().await {
            room.send(std::mem::take(&mut self.batch));
        } else {
            self.tally.lose(LossReason::Closed, self.batch.lines);
            self.batch = Batch::default();
        }
    }

    /// Resolves when the reader has closed its end. Safe to cancel.
    pub async fn reader_gone(&self) {
        let mut gone = self.gone.clone();
        if gone.wait_for(|gone| *gone).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What was lost since the last call, ready for a notice.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        self.tally.take_losses(NAME)
    }

    /// Lines that are not written yet.
    #[must_use]
    pub fn outstanding(&self) -> Backlog {
        Backlog { name: NAME.to_owned(), outstanding: self.tally.outstanding() }
    }

    /// Writes what is left, `deadline` long at most (see [`END_MAX`]), and returns what could not be written.
    pub async fn finish(mut self, deadline: Duration) -> Vec<Loss> {
        let until = Instant::now() + deadline;
        // Whether in time or not: what was not written is outstanding, and told as such.
        let _ = timeout_at(until, self.flush()).await;
        let Self { queue, tally, ended, .. } = self;
        drop(queue);
        let _ = timeout_at(until, ended).await;
        tally.lose_outstanding();
        tally.take_losses(NAME)
    }
}

/// Under which losses are told.
const NAME: &str = "stdout";

impl Writer {
    fn run(mut self, out: &mut impl Write) {
        let mut failing = false;
        while let Some(Batch { text, lines }) = self.queue.blocking_recv() {
            // What failed may have been half a line: the next one must not continue it.
            let begin = if failing { "\n" } else { "" };
            let written = out.write_all(begin.as_bytes()).and_then(|()| out.write_all(text.as_bytes()));
            match written.and_then(|()| out.flush()) {
                Ok(()) => {
                    self.tally.deliver(lines);
                    failing = false;
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.tally.lose(LossReason::Closed, lines);
                    self.gone.send_replace(true);
                    return;
                }
                Err(error) => {
                    self.tally.lose(LossReason::WriteFailed, lines);
                    if !std::mem::replace(&mut failing, true) {
                        warn!(
                            "cannot write to standard output: {error}; events are lost until it works again"
                        );
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::sink::sample;

    fn stream() -> (Stream, Writer) {
        Stream::new(Format::Json, Selection::default(), Arc::new(sample::origin()))
    }

    fn fill(stream: &mut Stream, sequence: u64) {
        stream.event(&sample::event(), Timestamp::UNIX_EPOCH, sequence);
    }

    /// Tells each write.
    struct Told(Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !bytes.is_empty() {
                self.0.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_turn_is_one_write_and_the_order_is_kept() {
        let (mut stream, writer) = stream();
        let (tell, told) = channel();
        std::thread::spawn(move || writer.run(&mut Told(tell)));
        fill(&mut stream, 1);
        stream.message(&sample::loss());
        stream.flush().await;
        fill(&mut stream, 3);
        assert!(stream.finish(Duration::from_secs(10)).await.is_empty());
        let writes: Vec<_> = told.iter().collect();
        assert_eq!(writes.len(), 2, "{writes:?}");
        let kinds: Vec<String> = writes
            .concat()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].to_string())
            .collect();
        assert_eq!(kinds, ["\"event\"", "\"loss\"", "\"event\""]);
    }

    #[tokio::test]
    async fn who_does_not_read_holds_up_the_agent_and_is_told_at_the_end() {
        let (mut stream, writer) = stream();
        for sequence in 0..2 {
            fill(&mut stream, sequence);
            let waits = timeout_at(Instant::now() + Duration::from_millis(20), stream.flush()).await.is_err();
            assert_eq!(waits, sequence == 1, "the writer has room for one batch");
        }
        let losses = stream.finish(Duration::from_millis(20)).await;
        assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), 2, "{losses:?}");
        drop(writer);
    }

    #[tokio::test]
    async fn a_closed_pipe_is_told_to_the_agent() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut stream, writer) = stream();
        fill(&mut stream, 1);
        stream.flush().await;
        std::thread::spawn(move || writer.run(&mut Closed));
        tokio::time::timeout(Duration::from_secs(10), stream.reader_gone()).await.expect("told");
        fill(&mut stream, 2);
        let losses = stream.finish(Duration::from_secs(10)).await;
        assert_eq!((losses[0].count > 0, losses[0].reason), (true, "closed by its reader"), "{losses:?}");
        // The second may reach the queue before the writer has left it, and is unconfirmed then.
        assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), 2, "{losses:?}");
    }
}
