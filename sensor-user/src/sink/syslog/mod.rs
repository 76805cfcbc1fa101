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
mod proof;
mod relp;
mod target;
mod entry;
mod window;

pub use entry::SyslogReceiver;
pub use frame::FRAME_MAX;
#[cfg(test)]
pub(super) use frame::encode as frame;
pub(super) use frame::room;
pub use priority::{Facility, Severity};
pub use target::{SyslogTarget, SyslogTargetError};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::link::Link;
use self::proof::{Proof, Step};
use self::window::Window;
use super::form::Form;
use super::outage::{Backoff, Outage, wait};
use super::{Feed, LossReason};

/// Frames that were written this long ago make room for others where the outbox is full. A receiver that stands still,
/// or dies, mostly shows it by then.
const SENT_AFTER: Duration = Duration::from_secs(2);

/// How often that is looked at.
const SENT_LOOK: Duration = Duration::from_millis(100);

/// A syslog receiver and how messages to it look.
#[derive(Debug)]
pub struct Syslog {
    target: SyslogTarget,
    facility: Facility,
    form: Form,
}

/// How serving a link ended.
enum Served {
    /// All that will ever come has been delivered.
    Drained,
    Broken(io::Error),
}

/// Whether a way to the receiver can be opened; nothing is sent over it.
///
/// # Errors
/// Why it cannot.
pub(super) async fn reach(target: &SyslogTarget) -> io::Result<()> {
    Link::open(target).await.map(drop)
}

impl Syslog {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(target: SyslogTarget, facility: Facility, form: Form) -> Self {
        Self { target, facility, form }
    }

    /// Delivers until there will be nothing more. While the receiver is away messages wait in the outbox.
    pub(super) async fn run(self, mut feed: Feed) {
        let mut window = Window::new(Link::confirms_after(&self.target));
        let mut proof = Proof::new(&self.target);
        let mut outage = Outage::new(format!("syslog receiver {}", self.target), Arc::clone(&feed.tally));
        let mut backoff = Backoff::default();
        loop {
            let opened = Instant::now();
            let served = match Link::open(&self.target).await {
                Ok(link) if self.target.acknowledges() => {
                    relp::serve(&self, link, &mut feed, &mut outage).await
                }
                Ok(link) => self.serve(link, &mut feed, &mut window, &mut proof, &mut outage).await,
                Err(error) => Served::Broken(error),
            };
            match served {
                Served::Drained => return,
                Served::Broken(error) => outage.begin(&error),
            }
            if proof.has_proven() {
                backoff = Backoff::default();
            }
            proof.restart(&window);
            window.clear();
            feed.reader.rewind();
            backoff.stood(opened.elapsed());
            if wait(&mut feed, backoff.next()).await {
                // Little time is left: try often, until the agent gives up on this sink.
                backoff = Backoff::default();
                if feed.reader.is_done() {
                    return;
                }
            }
        }
    }

    /// Writes what was not confirmed, then what comes, until the link breaks or nothing more will come.
    async fn serve(
        &self,
        mut link: Link,
        feed: &mut Feed,
        window: &mut Window,
        proof: &mut Proof,
        outage: &mut Outage,
    ) -> Served {
        if link.proves_receiver() {
            outage.end();
        }
        let mut look = Instant::now();
        loop {
            let now = Instant::now();
            let by_age = proof.is_by_age();
            if by_age {
                confirm(window.confirm(now), feed, outage);
            }
            if now >= look {
                feed.reader.sent(window.older_than(SENT_AFTER, now));
                look = now + SENT_LOOK;
            }
            let confirmation = window.next_confirmation().filter(|_| by_age);
            let is_held = proof.holds(window);
            tokio::select! {
                biased;
                error = link.gone() => return Served::Broken(error),
                step = proof.step(window) => match step {
                    Step::Opened(newer) => {
                        let older = std::mem::replace(&mut link, newer);
                        if let Err(error) = proof.end(older, window).await {
                            return Served::Broken(error);
                        }
                    }
                    Step::Proven(count) => {
                        // The kernel may know what tokio has not heard of yet.
                        if let Err(error) = link.check() {
                            return Served::Broken(error);
                        }
                        window.take(count);
                        confirm(count, feed, outage);
                    }
                    Step::Turn => {}
                    Step::Broken(error) => return Served::Broken(error),
                },
                envelope = feed.reader.next(), if !is_held => {
                    let Some(envelope) = envelope else {
                        return self.finish(link, feed, window, proof, outage).await;
                    };
                    let frame = frame::encode(&envelope, &self.target, self.facility, self.form);
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

    /// Nothing more will come: makes sure of what was written. What a receiver that stands still has not read is not
    /// confirmed, and stays for the next run.
    async fn finish(
        &self,
        mut link: Link,
        feed: &mut Feed,
        window: &mut Window,
        proof: &mut Proof,
        outage: &mut Outage,
    ) -> Served {
        if !window.is_empty() {
            match read_out(&mut link, proof, Link::finishes_within(&self.target)).await {
                Err(error) => return Served::Broken(error),
                Ok(false) if proof.is_answered() => return Served::Drained,
                Ok(_) => {}
            }
        }
        confirm(window.confirm_all(), feed, outage);
        Served::Drained
    }
}

/// Whether the receiver has read everything on both connections.
async fn read_out(link: &mut Link, proof: &mut Proof, patience: Duration) -> io::Result<bool> {
    link.end().await?;
    let (older, newer) = tokio::join!(proof.finish(patience), link.read_out(patience));
    Ok(older? && newer?)
}

async fn write(link: &mut Link, frame: &[u8]) -> io::Result<()> {
    link.check()?;
    link.write(frame).await
}

/// `count` frames have reached the receiver.
fn confirm(count: usize, feed: &mut Feed, outage: &mut Outage) {
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

#[cfg(test)]
pub(in crate::sink) mod tests;
