//! RELP: a receiver that acknowledges each message, so that nothing has to be guessed from silence.
//!
//! A session begins with an exchange of offers; from then on each message is a command that is answered under its number
//! (the specification is librelp's, doc/relp.md; protocol version 0 is what librelp speaks). A message counts as
//! received when its answer is 200. What is unanswered when the session breaks is sent again over the next one, so a
//! receiver may see an id twice. When 200 is said is up to the receiver: rsyslog says it when the message is in its queue.
//!
//! Not here: connecting and TLS (`link`), and what a message looks like (`frame`).

mod answer;
mod session;

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};

use self::session::Session;
use super::link::{Duplex, Link, closed};
use super::{Outage, Served, Syslog, confirm, frame};
use crate::sink::Feed;

/// A receiver that opens no session within this time does not speak RELP.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A receiver that answers nothing for this long while messages are on their way is away. It may wait for a disk or a
/// database of its own meanwhile, and what it stores after that comes twice.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait at the end for the answer to `close`: every message has been answered by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes read at once: some hundred answers.
const READ_MAX: usize = 4096;

/// Opens a session and delivers over it, until it breaks or nothing more will come.
pub(super) async fn serve(sink: &Syslog, link: Link, feed: &mut Feed, outage: &mut Outage) -> Served {
    let stream = match link.into_duplex() {
        Ok(stream) => stream,
        Err(error) => return Served::Broken(error),
    };
    let (reader, writer) = split(stream);
    let mut wire = Wire { reader, writer, session: Session::open(), is_flushed: true };
    let delivered = match timeout(OPEN_TIMEOUT, wire.open()).await {
        Ok(Ok(())) => wire.deliver(sink, feed, outage).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(silent("it opens no RELP session: name its port for RELP, usually 20514")),
    };
    match delivered {
        Ok(()) => {
            // It has everything, whatever it says to this.
            let _ = timeout(CLOSE_TIMEOUT, wire.close()).await;
            Served::Drained
        }
        Err(error) => Served::Broken(error),
    }
}

/// A session and the connection below it.
struct Wire {
    reader: ReadHalf<Box<dyn Duplex>>,
    writer: WriteHalf<Box<dyn Duplex>>,
    session: Session,
    is_flushed: bool,
}

impl Wire {
    async fn open(&mut self) -> io::Result<()> {
        self.write().await?;
        while !self.session.is_open() {
            self.hear().await?;
        }
        Ok(())
    }

    /// Returns when nothing more will come and everything has been answered.
    async fn deliver(&mut self, sink: &Syslog, feed: &mut Feed, outage: &mut Outage) -> io::Result<()> {
        // Where messages wait, only an answer to one shows that it takes them.
        if feed.reader.backlog() == 0 {
            outage.end();
        }
        let mut buffer = [0; READ_MAX];
        let mut deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut is_ending = false;
        while !is_ending || self.session.unanswered() > 0 {
            let takes = !is_ending && self.session.has_room();
            let awaits = self.session.unanswered() > 0;
            let has_output = !self.session.output.is_empty() || !self.is_flushed;
            tokio::select! {
                biased;
                read = self.reader.read(&mut buffer) => {
                    let heard = self.session.hear(read_of(&buffer, read?)?);
                    let confirmed = self.session.take_confirmed();
                    confirm(confirmed, feed, outage);
                    heard?;
                    if confirmed > 0 {
                        deadline = Instant::now() + ANSWER_TIMEOUT;
                    }
                }
                envelope = feed.reader.next(), if takes => match envelope {
                    Some(envelope) => {
                        if !awaits {
                            deadline = Instant::now() + ANSWER_TIMEOUT;
                        }
                        self.session.send(&frame::encode(&envelope, &sink.target, sink.facility, sink.form));
                    }
                    None => is_ending = true,
                },
                written = write(&mut self.writer, &mut self.session, &mut self.is_flushed), if has_output => {
                    written?;
                }
                () = sleep_until(deadline), if awaits => {
                    return Err(silent("it acknowledges nothing"));
                }
            }
        }
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        self.session.close();
        self.write().await?;
        while !self.session.is_closed() {
            self.hear().await?;
        }
        self.writer.shutdown().await
    }

    async fn write(&mut self) -> io::Result<()> {
        write(&mut self.writer, &mut self.session, &mut self.is_flushed).await
    }

    async fn hear(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_MAX];
        let read = self.reader.read(&mut buffer).await?;
        Ok(self.session.hear(read_of(&buffer, read)?)?)
    }
}

/// Writes what waits. Safe to cancel: what is written is taken out, and a flush that was cut short is made up for.
async fn write(
    writer: &mut WriteHalf<Box<dyn Duplex>>,
    session: &mut Session,
    is_flushed: &mut bool,
) -> io::Result<()> {
    while !session.output.is_empty() {
        let written = writer.write(&session.output).await?;
        if written == 0 {
            return Err(closed());
        }
        *is_flushed = false;
        session.written(written);
    }
    writer.flush().await?;
    *is_flushed = true;
    Ok(())
}

fn read_of(buffer: &[u8], read: usize) -> io::Result<&[u8]> {
    buffer.get(..read).filter(|bytes| !bytes.is_empty()).ok_or_else(closed)
}

fn silent(text: &'static str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, text)
}
