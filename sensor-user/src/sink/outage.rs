//! Receivers that are away: told once when they go and once when they are back, and tried again at a pace that bridges a
//! restart and floods nobody. The same for every sink over a network.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::text::duration;
use super::{Feed, Tally, kafka, tls};

/// First pause after a failure: long enough not to spin, short enough to bridge a daemon's restart.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// Longest pause: what an operator who has just repaired a receiver is willing to wait.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A link that stood this long was a good one, and no refusal: the next failure starts with the first pause again.
const STABLE: Duration = Duration::from_secs(1);

/// By how much of itself a pause is shortened at most, as a divisor: hosts that lost one receiver at one time must not
/// all come back to it at one time.
const JITTER: u32 = 4;

/// The pauses between attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: BACKOFF_MIN }
    }
}

impl Backoff {
    /// What was tried last held for so long.
    pub(super) fn stood(&mut self, time: Duration) {
        if time >= STABLE {
            *self = Self::default();
        }
    }

    /// The next pause: twice the last, with some chance in it.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = pause.saturating_mul(2).min(BACKOFF_MAX);
        // The standard library keys its hash maps by chance, which is as much as is needed here.
        let chance = u32::try_from(RandomState::new().hash_one(0) & 0xff).unwrap_or(0);
        pause.saturating_sub(pause / JITTER * chance / 0xff)
    }
}

/// Pauses, cut short when the agent begins to end. Returns whether it does.
pub(super) async fn wait(feed: &mut Feed, pause: Duration) -> bool {
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

/// Tells the log once that a receiver is away and once that it is back, and whoever asks how it is now.
#[derive(Debug)]
pub(super) struct Outage {
    /// As the log names it: `syslog receiver tcp://loghost:514`.
    receiver: String,
    tally: Arc<Tally>,
    since: Option<Instant>,
    /// What has been told: each kind once in an outage.
    told: Vec<Matter>,
}

/// What an operator has to mend. A receiver is often down first, and up with one of these then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter {
    Tls(Discriminant<tls::Fault>),
    Kafka(Discriminant<kafka::Fault>),
}

impl Matter {
    fn of(error: &io::Error) -> Option<Self> {
        let of_tls = || tls::Fault::within(error).map(|fault| Self::Tls(discriminant(fault)));
        let of_kafka = || kafka::Fault::within(error).map(|fault| Self::Kafka(discriminant(fault)));
        of_tls().or_else(of_kafka)
    }
}

impl Outage {
    pub(super) fn new(receiver: String, tally: Arc<Tally>) -> Self {
        Self { receiver, tally, since: None, told: Vec::new() }
    }

    pub(super) fn begin(&mut self, error: &io::Error) {
        self.tally.away(error);
        let matter = Matter::of(error).filter(|matter| !self.told.contains(matter));
        self.told.extend(matter);
        if self.since.is_none() {
            self.since = Some(Instant::now());
            warn!("{} is away: {error}; messages wait for it", self.receiver);
        } else if matter.is_some() {
            warn!("{} is still away: {error}", self.receiver);
        }
    }

    pub(super) fn end(&mut self) {
        self.tally.up();
        self.told.clear();
        if let Some(since) = self.since.take() {
            info!("{} is back after {}", self.receiver, duration(since.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew_after_a_good_link() {
        let mut backoff = Backoff::default();
        let mut bound = BACKOFF_MIN;
        for _ in 0..20 {
            let pause = backoff.next();
            assert!(pause <= bound && pause >= bound - bound / JITTER, "{pause:?} of {bound:?}");
            bound = (bound * 2).min(BACKOFF_MAX);
        }
        backoff.stood(STABLE / 2);
        assert!(backoff.next() > BACKOFF_MIN);
        backoff.stood(STABLE);
        assert!(backoff.next() <= BACKOFF_MIN);
    }

    #[test]
    fn two_hosts_do_not_come_at_one_time() {
        let pauses: Vec<_> = (0..16).map(|_| Backoff::default().next()).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
