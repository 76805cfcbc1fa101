//! A sink's way through the outbox: one request after the other, each until the receiver has taken or refused it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::HttpReceiver;
use super::answer::{Answer, Verdict};
use super::link::{Link, Protocol, Question};
use crate::outbox::Envelope;
use crate::sink::outage::{Backoff, Outage, wait};
use crate::sink::tls::Fault;
use crate::sink::{Feed, LossReason};

/// Bytes of documents from which on no other message joins a request. To make one takes about a millisecond then, in which
/// nothing else runs on the agent's thread.
const BATCH_BYTES: usize = 256 << 10;

/// How long is nothing said of refusals after one was told: the loss notices count each.
const REFUSAL_SILENCE: Duration = Duration::from_secs(600);

/// What is particular to a sink.
pub(in crate::sink) trait Sender {
    /// Most messages in one request.
    fn batch_max(&self) -> usize;
    /// Most bytes of an answer's body that [`Sender::verdict`] wants to see.
    fn answer_max(&self) -> usize;
    /// The request that carries these messages, of which there is one at least.
    fn question(&self, batch: &[Arc<Envelope>]) -> Question;
    /// What an answer means for them.
    fn verdict(&self, answer: &Answer) -> Verdict;
}

/// One receiver and what is sent there.
#[derive(Debug)]
pub(in crate::sink) struct Lane<S> {
    /// As losses name it: `webhook https://host:443/hook`.
    pub(in crate::sink) name: String,
    pub(in crate::sink) receiver: HttpReceiver,
    pub(in crate::sink) protocol: Protocol,
    pub(in crate::sink) sender: S,
}

/// Why the same has to be sent again.
struct Setback {
    error: io::Error,
    after: Option<Duration>,
}

/// What changes on the way.
struct State {
    link: Option<Link>,
    outage: Outage,
    backoff: Backoff,
    refusal_told: Option<Instant>,
    /// The receiver has taken a message in this run.
    has_taken: bool,
}

impl State {
    /// The receiver asked for a certificate of this host, and there is none.
    fn is_unanswered(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_unanswered)
    }
}

impl<S: Sender> Lane<S> {
    /// Delivers until there will be nothing more. While the receiver is away messages wait in the outbox.
    pub(in crate::sink) async fn run(self, mut feed: Feed) {
        let mut state = State {
            link: None,
            outage: Outage::new(self.name.clone(), Arc::clone(&feed.tally)),
            backoff: Backoff::default(),
            refusal_told: None,
            has_taken: false,
        };
        while let Some(batch) = self.gather(&mut feed).await {
            let Err(setback) = self.deliver(&batch, &mut feed, &mut state).await else { continue };
            // What is in the batch may make room for graver messages meanwhile: it is taken anew.
            drop(batch);
            state.link = None;
            state.outage.begin(&setback.error);
            feed.reader.rewind();
            let pause = state.backoff.next().max(setback.after.unwrap_or_default());
            if wait(&mut feed, pause).await {
                // Little time is left: try often, until the agent gives up on this sink.
                state.backoff = Backoff::default();
            }
        }
    }

    /// The next messages; none: there will be none.
    async fn gather(&self, feed: &mut Feed) -> Option<Vec<Arc<Envelope>>> {
        let mut batch = vec![feed.reader.next().await?];
        let mut bytes = batch.iter().map(|envelope| envelope.document.len()).sum::<usize>();
        while batch.len() < self.sender.batch_max() && bytes < BATCH_BYTES && feed.reader.has_ready() {
            let Some(envelope) = feed.reader.next().await else { break };
            bytes += envelope.document.len();
            batch.push(envelope);
        }
        Some(batch)
    }

    /// Sends a batch, and what was refused of it in halves.
    async fn deliver(
        &self,
        batch: &[Arc<Envelope>],
        feed: &mut Feed,
        state: &mut State,
    ) -> Result<(), Setback> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let answer = self.ask(part, state).await.map_err(|error| Setback { error, after: None })?;
            match self.sender.verdict(&answer) {
                Verdict::Later { reason, after } => {
                    return Err(Setback { error: io::Error::other(reason), after });
                }
                // Servers judge a certificate that is missing after the handshake, and say no to the request then.
                Verdict::Refused { .. } if !state.has_taken && state.is_unanswered() => {
                    return Err(Setback { error: Fault::Unanswered.into(), after: None });
                }
                Verdict::Refused { .. } if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    continue;
                }
                Verdict::Taken => state.has_taken = true,
                Verdict::Part { rejected, reason } => {
                    state.has_taken = true;
                    let rejected = rejected.min(u64::try_from(part.len()).unwrap_or(u64::MAX));
                    self.refused(rejected, &reason, feed, state);
                }
                Verdict::Refused { reason } => self.refused(1, &reason, feed, state),
            }
            feed.reader.confirm(part.len());
            state.outage.end();
            state.backoff = Backoff::default();
        }
        Ok(())
    }

    /// Asks over the open connection. One that the receiver closed since is no sign that it is away.
    async fn ask(&self, part: &[Arc<Envelope>], state: &mut State) -> io::Result<Answer> {
        let question = self.sender.question(part);
        let max = self.sender.answer_max();
        if let Some(mut link) = state.link.take().filter(Link::is_open) {
            match link.ask(question.clone(), max).await {
                Ok(answer) => {
                    state.link = Some(link);
                    return Ok(answer);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut || !link.is_proven => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        let mut link = Link::open(&self.receiver, self.protocol).await?;
        let answer = link.ask(question, max).await?;
        state.link = Some(link);
        Ok(answer)
    }

    fn refused(&self, count: u64, reason: &str, feed: &Feed, state: &mut State) {
        feed.tally.lose(LossReason::Refused, count);
        if count > 0 && state.refusal_told.is_none_or(|told| told.elapsed() >= REFUSAL_SILENCE) {
            state.refusal_told = Some(Instant::now());
            warn!("{} refuses messages, which are counted as lost: {reason}", self.name);
        }
    }
}
