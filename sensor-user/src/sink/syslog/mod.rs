//! The sink for syslog receivers: RFC 5424 over UDP (RFC 5426), TCP (RFC 6587, octet counting), TLS
//! (RFC 5425) and RELP, and the local socket in the form of RFC 3164, since common daemons read nothing else there; and entries of systemd's journal.
//!
//! The message is the JSON document; what receivers filter by stands in structured data as well.
//! No transport but [`relp`] acknowledges a message, so written frames stay in a [`window`] for as long as
//! the transport may still report their loss, and are sent again, to the byte, after a broken
//! connection: a receiver may see an id twice, never a gap that is not counted. What is to be sent, and again, is in
//! the outbox, over a restart of the agent too.
//!
//! Not here: how messages are kept (`outbox`).

mod frame;
mod journal;
mod link;
mod priority;
mod relp;
mod target;
mod entry;
mod tls;
mod window;

pub use frame::FRAME_MAX;
pub use priority::{Facility, Severity};
pub use target::{SyslogTarget, SyslogTargetError};
pub use tls::{Fingerprint, FingerprintError, Identity, TlsError, TlsSettings, TlsTarget};

use std::io;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use self::link::Link;
use self::tls::Fault;
use self::window::Window;
use super::text::duration;
use super::{Feed, LossReason};

/// First pause after a failure: long enough not to spin, short enough to bridge a daemon's restart.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// Longest pause: what an operator who has just repaired a receiver is willing to wait.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Frames that were written this long ago make room for others where the outbox is full. A receiver that stands still,
/// or dies, mostly shows it by then.
const SENT_AFTER: Duration = Duration::from_secs(2);

/// How often that is looked at.
const SENT_LOOK: Duration = Duration::from_millis(100);

/// A link that stood this long was a good one: the next failure starts with the first pause again.
const STABLE: Duration = Duration::from_secs(5);

/// A syslog receiver and how messages to it look.
#[derive(Debug)]
pub struct Syslog {
    target: SyslogTarget,
    facility: Facility,
}

/// How serving a link ended.
enum Served {
    /// All that will ever come has been delivered.
    Drained,
    Broken(io::Error),
}

impl Syslog {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(target: SyslogTarget, facility: Facility) -> Self {
        Self { target, facility }
    }

    /// Delivers until there will be nothing more. While the receiver is away messages wait in the outbox.
    pub(super) async fn run(self, mut feed: Feed) {
        let mut window = Window::new(Link::confirms_after(&self.target));
        let mut outage = Outage::new(&self.target);
        let mut pause = BACKOFF_MIN;
        loop {
            let opened = Instant::now();
            let served = match Link::open(&self.target).await {
                Ok(link) if self.target.acknowledges() => {
                    relp::serve(&self, link, &mut feed, &mut outage).await
                }
                Ok(link) => self.serve(link, &mut feed, &mut window, &mut outage).await,
                Err(error) => Served::Broken(error),
            };
            match served {
                Served::Drained => return,
                Served::Broken(error) => outage.begin(&error),
            }
            window.clear();
            feed.reader.rewind();
            if opened.elapsed() >= STABLE {
                pause = BACKOFF_MIN;
            }
            if wait(&mut feed, pause).await {
                // Little time is left: try often, until the agent gives up on this sink.
                pause = BACKOFF_MIN;
                if feed.reader.backlog() == 0 {
                    return;
                }
            } else {
                pause = pause.saturating_mul(2).min(BACKOFF_MAX);
            }
        }
    }

    /// Writes what was not confirmed, then what comes, until the link breaks or nothing more will come.
    async fn serve(
        &self,
        mut link: Link,
        feed: &mut Feed,
        window: &mut Window,
        outage: &mut Outage<'_>,
    ) -> Served {
        if link.proves_receiver() {
            outage.end();
        }
        let mut look = Instant::now();
        loop {
            let now = Instant::now();
            confirm(window.confirm(now), feed, outage);
            if now >= look {
                feed.reader.sent(window.older_than(SENT_AFTER, now));
                look = now + SENT_LOOK;
            }
            let confirmation = window.next_confirmation();
            tokio::select! {
                biased;
                error = link.gone() => return Served::Broken(error),
                envelope = feed.reader.next() => {
                    let Some(envelope) = envelope else {
                        return self.finish(link, feed, window, outage).await;
                    };
                    let frame = frame::encode(&envelope, &self.target, self.facility);
                    match write(&mut link, &frame).await {
                        Ok(()) => {}
                        Err(error) if is_too_long(&error) => feed.tally.lose(LossReason::WriteFailed, 1),
                        Err(error) => return Served::Broken(error),
                    }
                    // One that it will never take is not tried again either.
                    window.written(Instant::now());
                }
                () = until(confirmation) => {}
            }
        }
    }

    /// Nothing more will come: makes sure of what was written.
    async fn finish(
        &self,
        mut link: Link,
        feed: &mut Feed,
        window: &mut Window,
        outage: &mut Outage<'_>,
    ) -> Served {
        if !window.is_empty()
            && let Err(error) = link.finish(Link::confirms_after(&self.target)).await
        {
            return Served::Broken(error);
        }
        confirm(window.confirm_all(), feed, outage);
        Served::Drained
    }
}

async fn write(link: &mut Link, frame: &[u8]) -> io::Result<()> {
    link.check()?;
    link.write(frame).await
}

/// `count` frames have reached the receiver.
fn confirm(count: usize, feed: &mut Feed, outage: &mut Outage<'_>) {
    if count > 0 {
        outage.end();
        feed.reader.confirm(count);
    }
}

/// The receiver's socket takes no frame of this size; it will not take it the next time either.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Pauses, cut short when the agent begins to end. Returns whether it does.
async fn wait(feed: &mut Feed, pause: Duration) -> bool {
    let was_closing = *feed.closing.borrow();
    if was_closing {
        sleep(pause).await;
        return true;
    }
    tokio::select! {
        () = sleep(pause) => false,
        closing = async { feed.closing.wait_for(|closing| *closing).await.is_ok() } => {
            if !closing {
                // The agent's end is gone without a word, and nobody will cut this pause short.
                sleep(pause).await;
            }
            true
        }
    }
}

/// Tells the log once that a receiver is away and once that it is back.
#[derive(Debug)]
struct Outage<'a> {
    target: &'a SyslogTarget,
    since: Option<Instant>,
    /// What was wrong with TLS and has been told: each kind once in an outage.
    told: Vec<Discriminant<Fault>>,
}

impl<'a> Outage<'a> {
    fn new(target: &'a SyslogTarget) -> Self {
        Self { target, since: None, told: Vec::new() }
    }

    fn begin(&mut self, error: &io::Error) {
        let fault = Fault::within(error).map(discriminant).filter(|fault| !self.told.contains(fault));
        self.told.extend(fault);
        if self.since.is_none() {
            self.since = Some(Instant::now());
            warn!("syslog receiver {} is away: {error}; messages wait for it", self.target);
        } else if fault.is_some() {
            // A receiver is often down first and up with a wrong certificate then.
            warn!("syslog receiver {} is still away: {error}", self.target);
        }
    }

    fn end(&mut self) {
        self.told.clear();
        if let Some(since) = self.since.take() {
            info!("syslog receiver {} is back after {}", self.target, duration(since.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests;
