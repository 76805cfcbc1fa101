//! The sink that writes to standard output: text for people, one JSON line per message for programs.
//!
//! It runs on a thread of its own, because a write to a terminal or a pipe can block for as long as
//! its reader likes, and a non-blocking terminal would change under the shell that shares it.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use jiff::tz::TimeZone;
use rustix::event::{PollFd, PollFlags, poll};
use tracing::warn;

use super::text::View;
use super::{Inbox, LossReason, Origin, document, json, text};
use crate::alert::Message;

/// How messages look on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Text,
    /// One document per line.
    Json,
}

/// Columns when standard output is no terminal: as wide as a line may get before a diff tool or a
/// mail cuts it.
const WIDTH_DEFAULT: usize = 100;

/// Starts the thread that writes.
///
/// # Errors
/// When the system refuses a thread.
pub(super) fn start(format: Format, origin: Arc<Origin>, inbox: Inbox) -> io::Result<()> {
    let gone = inbox.reader_gone.clone();
    spawn("stdout-reader", move || {
        await_reader_gone(&io::stdout());
        gone.send_replace(true);
    })?;
    spawn("stdout", move || run(format, &origin, inbox, &mut io::stdout().lock()))
}

pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// Blocks until the other end of a pipe is closed or a terminal hangs up, for ever on a file. Without
/// it a quiet host would keep an agent running that nobody listens to, until its next message.
pub(super) fn await_reader_gone(out: &impl AsFd) {
    loop {
        // No events asked for: what is told regardless is exactly what is waited for.
        let mut waited = [PollFd::new(out, PollFlags::empty())];
        match poll(&mut waited, None) {
            Ok(_) if waited.iter().any(|out| !out.revents().is_empty()) => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // It cannot be waited for; the next write tells.
            Err(_) => loop {
                std::thread::park();
            },
        }
    }
}

fn run(format: Format, origin: &Origin, mut inbox: Inbox, out: &mut impl Write) {
    let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let zone = TimeZone::system();
    let mut failing = false;
    while let Some(message) = inbox.queue.blocking_recv() {
        let text = match format {
            Format::Text => {
                text::render(&message, &View { width: terminal_width(), colour, zone: zone.clone() })
            }
            Format::Json => line(&message, origin),
        };
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => {
                inbox.tally.deliver(1);
                inbox.tally.up();
                failing = false;
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                inbox.tally.lose(LossReason::Closed, 1);
                inbox.tally.away(&error);
                inbox.reader_is_gone();
                return;
            }
            Err(error) => {
                inbox.tally.lose(LossReason::WriteFailed, 1);
                inbox.tally.away(&error);
                if !std::mem::replace(&mut failing, true) {
                    warn!("cannot write to standard output: {error}; messages are lost until it works again");
                }
            }
        }
    }
}

fn line(message: &Message, origin: &Origin) -> String {
    let mut line = json::encode(&document::Document::new(message, origin));
    line.push('\n');
    line
}

/// Columns of the terminal, asked for each message because a window may be resized.
#[must_use]
pub fn terminal_width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        Ok(_) | Err(_) => WIDTH_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sink::{SinkSet, Target, sample};

    #[test]
    fn json_lines_are_single_lines() {
        let line = line(&Message::Alert(Box::new(sample::hostile())), &sample::origin());
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.ends_with('\n'));
    }

    /// A writer whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_closed_pipe_is_told_to_the_agent() {
        let (set, inbox) = SinkSet::with_one_lane("stdout");
        set.deliver(&Arc::new(sample::message()));
        let origin = sample::origin();
        std::thread::spawn(move || run(Format::Json, &origin, inbox, &mut Closed));
        tokio::time::timeout(Duration::from_secs(10), set.reader_gone()).await.expect("told");
        let losses = set.flush(Duration::from_secs(10)).await;
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!((losses[0].count, losses[0].reason), (1, "closed by its reader"));
    }

    #[test]
    fn a_quiet_pipe_tells_that_its_reader_has_gone() {
        let (reader, writer) = io::pipe().unwrap();
        let (told, gone) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            await_reader_gone(&writer);
            told.send(()).unwrap();
        });
        assert!(gone.recv_timeout(Duration::from_millis(50)).is_err(), "told while there is a reader");
        drop(reader);
        gone.recv_timeout(Duration::from_secs(10)).expect("told");
    }

    #[test]
    fn names() {
        assert_eq!(Target::Stdout(Format::Text).name(), "stdout");
    }
}
