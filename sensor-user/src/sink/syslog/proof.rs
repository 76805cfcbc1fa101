//! Proof that a receiver has read what it was sent over a stream.
//!
//! Neither TCP nor TLS acknowledges a message: a receiver's kernel takes frames that its program never reads. But every
//! receiver reads to the end of a connection before it closes its own side. So another connection is opened from
//! time to time, the sending side of the older one is ended, and when the receiver ends its side too it has read
//! all that went over it. A receiver that dies closes as well, so that counts only once the newer
//! connection has outlived it by [`OUTLIVES`]. Such a proof is had soon after a link broke, and rarely on one
//! that holds: a receiver that flaps gets each message a few times, not for ever.
//!
//! A receiver that has not been seen to answer so within [`SILENCE`] is believed to read what its kernel
//! acknowledged, for as long as the link holds: nothing better is to be had of it.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::SyslogTarget;
use super::link::Link;
use super::window::Window;

/// Between the first frame that is not proven and the next proof, once a link broke. Doubled by each proof.
const SOON: Duration = Duration::from_millis(50);

/// The same on a link that holds: what is sent again at most when it breaks, and often enough for connections not
/// to be worth a thought.
const SELDOM: Duration = Duration::from_secs(30);

/// Frames after which a proof is due however young they are: 80 KiB of numbers in memory, and some 30 MiB in the outbox.
const FRAMES_MAX: usize = 10_000;

/// The same once links break, in turn, until one is proven: what breaks links may count bytes, and then little must be on
/// them; or it may count time, and then much must have been. From what is proven it goes on, doubled by each proof.
const FRAMES_FEW: usize = 32;
const FRAMES_MANY: usize = 4096;

/// A receiver that closed because it died takes its other connection along, within a round trip.
const OUTLIVES: Duration = Duration::from_millis(250);

/// For how long the newer connection stays unused, so that the older one is read first: order is kept for receivers
/// that answer, and one that does not holds nothing up for longer.
const TURN: Duration = Duration::from_secs(1);

/// A receiver that has not ended its side after this long may never do so. Longer than the kernel waits for an
/// acknowledgement ([`Link::confirms_after`]).
const SILENCE: Duration = Duration::from_secs(30);

/// One that used to answer and has not for this long is treated as gone: it stands still, or has forgotten the connection.
const STUCK: Duration = Duration::from_secs(5 * 60);

/// How the end of a connection is answered by this receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Not seen yet.
    Unknown,
    /// It ends its side when it has read all.
    Answers,
    /// It does not.
    Silent,
}

impl Manner {
    fn at_first(target: &SyslogTarget) -> Self {
        match target {
            SyslogTarget::Tcp { .. } | SyslogTarget::Tls(_) => Self::Unknown,
            // These have their own ways to say so.
            SyslogTarget::Udp { .. }
            | SyslogTarget::Unix { .. }
            | SyslogTarget::Journal { .. }
            | SyslogTarget::Relp { .. }
            | SyslogTarget::Relps(_) => Self::Silent,
        }
    }
}

type Opening = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

enum State {
    Idle,
    /// The newer connection is being opened.
    Opening(Opening),
    /// The older one was ended.
    Ended(Ended),
}

struct Ended {
    link: Link,
    frames: usize,
    since: Instant,
    /// When the receiver had read it.
    read: Option<Instant>,
}

/// What a proof has come to.
#[derive(Debug)]
pub(super) enum Step {
    /// The newer connection is there: its turn.
    Opened(Link),
    /// The receiver has read so many of the oldest frames.
    Proven(usize),
    /// It has read the older connection, which proves nothing yet; or the turn of the newer one has come all the same.
    Turn,
    Broken(io::Error),
}

/// Proofs of one receiver.
pub(super) struct Proof {
    target: SyslogTarget,
    manner: Manner,
    interval: Duration,
    /// Frames on one connection until a proof is due.
    batch: usize,
    /// Something was proven on this link.
    has_proven: bool,
    /// No new attempt before this.
    not_before: Instant,
    state: State,
}

impl Proof {
    pub(super) fn new(target: &SyslogTarget) -> Self {
        let manner = Manner::at_first(target);
        let target = target.clone();
        Self {
            target,
            manner,
            interval: SELDOM,
            batch: FRAMES_MAX,
            has_proven: false,
            not_before: Instant::now(),
            state: State::Idle,
        }
    }

    /// The link broke, or was none, and all that was written over it and is not proven is sent again over another one.
    pub(super) fn restart(&mut self, window: &Window) {
        (self.state, self.interval, self.not_before) = (State::Idle, SOON, Instant::now());
        if self.has_proven {
            self.batch = (self.batch / 2).clamp(FRAMES_FEW, FRAMES_MANY);
        } else if !window.is_empty() {
            self.batch = if self.batch > FRAMES_FEW { FRAMES_FEW } else { FRAMES_MANY };
        }
        self.has_proven = false;
        if self.is_by_age() {
            // It may have stood still, or be another one now.
            self.manner = Manner::at_first(&self.target);
        }
    }

    /// The link was good for something.
    pub(super) fn has_proven(&self) -> bool {
        self.has_proven
    }

    /// Frames count as received by their age: nothing better is to be had.
    pub(super) fn is_by_age(&self) -> bool {
        self.manner == Manner::Silent
    }

    /// Nothing is to be written now: the older connection is read first, or the newer one has carried enough.
    pub(super) fn holds(&self, window: &Window) -> bool {
        match &self.state {
            State::Ended(ended) => {
                // Where links break, nothing may break the newer one before it has outlived the older.
                let is_at_risk = ended.read.is_some() && self.batch < FRAMES_MAX;
                let is_full = window.len() - ended.frames.min(window.len()) >= self.batch;
                ended.holds(Instant::now()) || is_at_risk || (is_full && self.manner == Manner::Answers)
            }
            State::Idle | State::Opening(_) => !self.is_by_age() && window.len() >= self.batch,
        }
    }

    /// Ends the older connection, over which all that is in the window went; the newer one has taken its place.
    ///
    /// # Errors
    /// That of the older one: nothing it carried is proven.
    pub(super) async fn end(&mut self, mut older: Link, window: &Window) -> io::Result<()> {
        older.end().await?;
        self.state =
            State::Ended(Ended { link: older, frames: window.len(), since: Instant::now(), read: None });
        Ok(())
    }

    /// The next step of a proof; never while none is due. Safe to cancel.
    pub(super) async fn step(&mut self, window: &Window) -> Step {
        loop {
            match &mut self.state {
                State::Idle => {
                    match self.due(window) {
                        Some(due) => sleep_until(due).await,
                        None => pending().await,
                    }
                    let target = self.target.clone();
                    self.state = State::Opening(Box::pin(async move { Link::open(&target).await }));
                }
                State::Opening(opening) => match opening.await {
                    Ok(link) => {
                        self.state = State::Idle;
                        // Should the caller not come to end the older one.
                        self.not_before = Instant::now() + self.interval;
                        return Step::Opened(link);
                    }
                    Err(error) => {
                        // It may take one connection of each host only. The one there is still serves.
                        debug!(%error, "no second connection to {}", self.target);
                        self.batch = self.batch.saturating_mul(2);
                        self.postpone();
                    }
                },
                State::Ended(ended) => {
                    if let Some(step) = ended.step(&mut self.manner).await {
                        if matches!(step, Step::Proven(_)) {
                            self.has_proven = true;
                            self.batch = self.batch.saturating_mul(2).min(FRAMES_MAX);
                            self.postpone();
                            self.not_before = Instant::now();
                        }
                        return step;
                    }
                    self.postpone();
                }
            }
        }
    }

    /// At the end of the sink: waits for the answer on the older connection, if there is one. False: it did not come.
    pub(super) async fn finish(&mut self, patience: Duration) -> io::Result<bool> {
        match &mut self.state {
            State::Ended(ended) if ended.read.is_none() => ended.link.read_out(patience).await,
            State::Ended(_) | State::Idle | State::Opening(_) => Ok(true),
        }
    }

    /// Silence at the end of a connection means that it was not read.
    pub(super) fn is_answered(&self) -> bool {
        self.manner == Manner::Answers
    }

    fn postpone(&mut self) {
        self.interval = self.interval.saturating_mul(2).min(SELDOM);
        self.not_before = Instant::now() + SOON;
        self.state = State::Idle;
    }

    /// When the next proof is due; none: there is nothing to prove.
    fn due(&self, window: &Window) -> Option<Instant> {
        let first = window.first().filter(|_| !self.is_by_age())?;
        let age = if window.len() < self.batch { self.interval } else { Duration::ZERO };
        Some((first + age).max(self.not_before))
    }
}

impl Ended {
    fn holds(&self, now: Instant) -> bool {
        self.read.is_none() && now < self.since + TURN
    }

    /// What happens next; none: it will not answer, and is forgotten.
    async fn step(&mut self, manner: &mut Manner) -> Option<Step> {
        if let Some(read) = self.read {
            sleep_until(read + OUTLIVES).await;
            return Some(Step::Proven(self.frames));
        }
        let (turn, silence, stuck) = (self.since + TURN, self.since + SILENCE, self.since + STUCK);
        let next = if Instant::now() < turn {
            turn
        } else if *manner == Manner::Unknown {
            silence
        } else {
            stuck
        };
        tokio::select! {
            error = self.link.gone() => {
                if error.kind() != ErrorKind::UnexpectedEof {
                    return Some(Step::Broken(error));
                }
                *manner = Manner::Answers;
                self.read = Some(Instant::now());
                Some(Step::Turn)
            }
            () = sleep_until(next) => {
                if next == turn {
                    return Some(Step::Turn);
                }
                if *manner == Manner::Unknown {
                    *manner = Manner::Silent;
                    return None;
                }
                *manner = Manner::Unknown;
                Some(Step::Broken(io::Error::new(ErrorKind::TimedOut, "it reads nothing")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// An older connection that was ended so long ago, and the receiver's side of it.
    async fn ended(ago: Duration) -> (Ended, tokio::net::TcpStream) {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut link = Link::open(&SyslogTarget::Tcp { host: "127.0.0.1".to_owned(), port }).await.unwrap();
        link.end().await.unwrap();
        let since = Instant::now().checked_sub(ago).unwrap();
        (Ended { link, frames: 3, since, read: None }, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn one_that_was_silent_is_asked_again_over_another_link() {
        let window = Window::new(SILENCE);
        for (target, is_by_age) in [("tcp://h:1", false), ("udp://h:1", true)] {
            let mut proof = Proof::new(&target.parse().unwrap());
            proof.manner = Manner::Silent;
            proof.restart(&window);
            assert_eq!(proof.is_by_age(), is_by_age, "{target}");
        }
    }

    #[tokio::test]
    async fn silence_is_believed_where_an_answer_was_never_seen() {
        let (mut ended, _receiver) = ended(SILENCE).await;
        let mut manner = Manner::Unknown;
        assert!(ended.step(&mut manner).await.is_none());
        assert_eq!(manner, Manner::Silent);
    }

    #[tokio::test]
    async fn silence_of_one_that_answers_is_waited_out_and_then_a_fault() {
        let (mut ended, receiver) = ended(STUCK - Duration::from_millis(100)).await;
        let mut manner = Manner::Answers;
        assert!(matches!(ended.step(&mut manner).await, Some(Step::Broken(_))));
        assert!(ended.since.elapsed() >= STUCK);
        drop(receiver);
    }

    #[tokio::test]
    async fn an_answer_counts_once_the_newer_connection_has_outlived_it() {
        let (mut ended, receiver) = ended(Duration::ZERO).await;
        let mut manner = Manner::Unknown;
        drop(receiver);
        assert!(matches!(ended.step(&mut manner).await, Some(Step::Turn)));
        assert_eq!(manner, Manner::Answers);
        let read = Instant::now();
        assert!(matches!(ended.step(&mut manner).await, Some(Step::Proven(3))));
        assert!(read.elapsed() >= OUTLIVES - Duration::from_millis(20));
    }
}
