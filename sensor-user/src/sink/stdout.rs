//! The sink that writes to standard output: text for people, one JSON line per message for programs.
//!
//! It runs on a thread of its own, because a write to a terminal or a pipe can block for as long as
//! its reader likes, and a non-blocking terminal would change under the shell that shares it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use jiff::tz::TimeZone;
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
    let body = move || run(format, &origin, inbox, &mut io::stdout().lock());
    std::thread::Builder::new().name("stdout".to_owned()).spawn(body).map(drop)
}

fn run(format: Format, origin: &Origin, mut inbox: Inbox, out: &mut impl Write) {
    let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let zone = TimeZone::system();
    let mut failing = false;
    while let Some(message) = inbox.queue.blocking_recv() {
        let text = match format {
            Format::Text => text::render(&message, &View { width: width(), colour, zone: zone.clone() }),
            Format::Json => line(&message, origin),
        };
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => {
                inbox.tally.deliver();
                failing = false;
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                inbox.tally.lose(LossReason::Closed, 1);
                inbox.reader_is_gone();
                return;
            }
            Err(error) => {
                inbox.tally.lose(LossReason::WriteFailed, 1);
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
fn width() -> usize {
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
    fn names() {
        assert_eq!(Target::Stdout(Format::Text).name(), "stdout");
    }
}
