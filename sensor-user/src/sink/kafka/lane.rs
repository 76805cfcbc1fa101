//! The way through the outbox: one batch after the other, each until the leader has taken or refused it.
//!
//! A batch that may have arrived although no answer came is sent again with the same records and the same numbers, by which
//! the broker knows it. Where the outbox has given up one of them meanwhile that cannot be, and it begins anew as another
//! producer: what had arrived is there twice then, under the same ids.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::answer::{Produced, ProducerId};
use super::batch::{self, Mark, Record};
use super::cluster::Cluster;
use super::code::{Code, Meaning};
use super::fault::Fault;
use super::link::Link;
use super::request::{self, Call};
use super::target::KafkaTarget;
use crate::outbox::Envelope;
use crate::sink::form::Form;
use crate::sink::outage::{Backoff, Outage, wait};
use crate::sink::{Feed, LossReason};

/// Most messages in one batch: as many as the outbox gives at one look.
const BATCH_MAX: usize = 64;

/// Bytes of documents from which on no other message joins a batch. With the longest one, of 512 KiB, on top it stays below
/// the 1 MiB that a broker takes if nothing else is said there (`message.max.bytes`).
const BATCH_BYTES: usize = 256 << 10;

/// How long the rest of a batch that goes again is waited for: a slow disk's time.
const REST_WAIT: Duration = Duration::from_secs(1);

/// How long is nothing said of refusals after one was told: the loss notices count each.
const REFUSAL_SILENCE: Duration = Duration::from_secs(600);

/// How often one batch is sent anew at once, after what says nothing against the cluster: a connection that was closed
/// while nothing happened, a leader that moved, a producer that was forgotten, times that are too old.
const AT_ONCE_MAX: u32 = 4;

/// A topic and what is sent there.
#[derive(Debug)]
pub(super) struct Lane {
    name: String,
    topic: String,
    form: Form,
    key: String,
    cluster: Cluster,
    link: Option<Link>,
    /// Which partition the link's broker leads.
    partition: i32,
    producer: Option<Producer>,
    outage: Outage,
    backoff: Backoff,
    refusal_told: Option<Instant>,
}

/// Who the broker counts the batches of one partition by.
#[derive(Debug)]
struct Producer {
    /// With the number of the next record.
    mark: Mark,
    partition: i32,
    /// Messages of a batch of which nobody knows whether it arrived.
    doubtful: Vec<u64>,
}

/// What has become of a batch.
enum Outcome {
    Taken,
    Refused(Fault),
}

impl Lane {
    /// `key` is that of all records.
    pub(super) fn new(target: KafkaTarget, key: String, feed: &Feed) -> Self {
        let name = format!("kafka {target}");
        Self {
            topic: target.topic.clone(),
            form: target.form,
            key: key.clone(),
            cluster: Cluster::new(target, key),
            link: None,
            partition: 0,
            producer: None,
            outage: Outage::new(name.clone(), Arc::clone(&feed.tally)),
            backoff: Backoff::default(),
            refusal_told: None,
            name,
        }
    }

    /// Delivers until there will be nothing more. While the cluster is away messages wait in the outbox.
    pub(super) async fn run(mut self, mut feed: Feed) {
        while let Some(batch) = self.gather(&mut feed).await {
            let Err(error) = self.deliver(&batch, &mut feed).await else { continue };
            // What is in the batch may make room for graver messages meanwhile: it is taken anew.
            drop(batch);
            self.link = None;
            self.outage.begin(&error);
            feed.reader.rewind();
            if wait(&mut feed, self.backoff.next()).await {
                // Little time is left: try often, until the agent gives up on this sink.
                self.backoff = Backoff::default();
            }
        }
    }

    /// The next messages; none: there will be none.
    async fn gather(&self, feed: &mut Feed) -> Option<Vec<Arc<Envelope>>> {
        let mut batch = vec![feed.reader.next().await?];
        let mut bytes = batch.iter().map(|envelope| envelope.document.len()).sum::<usize>();
        let doubtful = self.producer.as_ref().map_or(&[][..], |producer| &producer.doubtful);
        while batch.len() < BATCH_MAX && bytes < BATCH_BYTES {
            // The rest of a batch that goes again is there, though the outbox may not give all of it at one look.
            let is_part = batch.len() < doubtful.len() && doubtful.starts_with(&numbers(&batch));
            let is_there = feed.reader.backlog() > u64::try_from(batch.len()).unwrap_or(u64::MAX);
            if !(feed.reader.has_ready() || is_part && is_there) {
                break;
            }
            // It may have been given up just now.
            let Ok(Some(envelope)) = timeout(REST_WAIT, feed.reader.next()).await else { break };
            bytes += envelope.document.len();
            batch.push(envelope);
        }
        Some(batch)
    }

    /// Sends a batch, and what was refused of it in halves.
    async fn deliver(&mut self, batch: &[Arc<Envelope>], feed: &mut Feed) -> io::Result<()> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let (part, rest) = part.split_at(self.as_before(part));
            if !rest.is_empty() {
                parts.push(rest);
            }
            match self.send(part).await? {
                Outcome::Taken => {}
                Outcome::Refused(_) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    continue;
                }
                Outcome::Refused(reason) => self.refused(&reason, feed),
            }
            feed.reader.confirm(part.len());
            self.outage.end();
            self.backoff = Backoff::default();
        }
        Ok(())
    }

    /// How many of these go now: all, or those that went together before.
    fn as_before(&mut self, part: &[Arc<Envelope>]) -> usize {
        let doubtful = self.producer.as_ref().map_or(&[][..], |producer| &producer.doubtful);
        if doubtful.is_empty() {
            return part.len();
        }
        if numbers(part).starts_with(doubtful) {
            return doubtful.len();
        }
        self.producer = None;
        part.len()
    }

    async fn send(&mut self, part: &[Arc<Envelope>]) -> io::Result<Outcome> {
        let mut is_timely = true;
        let mut tries = 0;
        loop {
            tries += 1;
            let is_last = tries > AT_ONCE_MAX;
            let was_proven = self.link.as_ref().is_some_and(|link| link.is_proven && link.is_good());
            let mark = self.connect().await?;
            let batch = self.encode(part, mark, is_timely);
            if let Some(producer) = &mut self.producer {
                producer.doubtful = numbers(part);
            }
            let (code, said) = match self.produce(&batch).await {
                Ok(answer) => answer,
                // One that the broker closed since is no sign that it is away.
                Err(error) if was_proven && error.kind() != ErrorKind::TimedOut && !is_last => {
                    self.link = None;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match code.meaning() {
                Meaning::Taken => {
                    self.settle(part.len());
                    return Ok(Outcome::Taken);
                }
                Meaning::Refused => {
                    self.settle(0);
                    return Ok(Outcome::Refused(Fault::of(code, &self.topic, said.as_deref())));
                }
                Meaning::Moved if !is_last => self.link = None,
                Meaning::Forgotten if !is_last => self.producer = None,
                // Too old, after a long outage, says a broker that has a bound for it. That of now it takes.
                Meaning::Untimely if is_timely => is_timely = false,
                Meaning::Moved | Meaning::Forgotten | Meaning::Untimely | Meaning::Later => {
                    return Err(Fault::of(code, &self.topic, said.as_deref()).into());
                }
            }
        }
    }

    /// A link to the leader, and what marks the next batch.
    async fn connect(&mut self) -> io::Result<Mark> {
        let mut link = match self.link.take().filter(Link::is_good) {
            Some(link) => link,
            None => {
                let (link, partition) = self.cluster.leader().await?;
                self.partition = partition;
                link
            }
        };
        // Each partition counts for itself.
        if let Some(producer) = self.producer.as_ref().filter(|producer| producer.partition == self.partition)
        {
            self.link = Some(link);
            return Ok(producer.mark);
        }
        let mark = self.introduce(&mut link).await?;
        self.producer = Some(Producer { mark, partition: self.partition, doubtful: Vec::new() });
        self.link = Some(link);
        Ok(mark)
    }

    /// Asks who this producer is. Where the cluster gives nobody a number, it does without.
    async fn introduce(&self, link: &mut Link) -> io::Result<Mark> {
        let Ok(version) = link.version(Call::InitProducerId) else {
            return Ok(self.unmarked("it knows none"));
        };
        let answer = link.ask(Call::InitProducerId, version, &request::producer_id()).await?;
        let ProducerId { throttle, code, id, epoch } = ProducerId::read(&answer)?;
        link.keep_quiet(throttle);
        match code {
            Code::NONE => Ok(Mark { producer: id, epoch, sequence: 0 }),
            Code::CLUSTER_DENIED | Code::TRANSACTIONAL_ID_DENIED | Code::UNSUPPORTED_VERSION => {
                Ok(self.unmarked("its user lacks the operation IdempotentWrite"))
            }
            code => Err(Fault::of(code, &self.topic, None).into()),
        }
    }

    fn unmarked(&self, reason: &str) -> Mark {
        info!("{} gives no producer id ({reason}): what is sent again may stand there twice", self.name);
        Mark::NONE
    }

    async fn produce(&mut self, batch: &[u8]) -> io::Result<(Code, Option<String>)> {
        let Some(link) = &mut self.link else { return Err(ErrorKind::NotConnected.into()) };
        let version = link.version(Call::Produce)?;
        let answer =
            link.ask(Call::Produce, version, &request::produce(&self.topic, self.partition, batch)).await?;
        let Produced { throttle, code, said } = Produced::read(&answer, version)?;
        link.keep_quiet(throttle);
        link.is_proven = true;
        Ok((code, said.map(str::to_owned)))
    }

    /// It is known what became of the batch: so many of it are there.
    fn settle(&mut self, count: usize) {
        if let Some(producer) = &mut self.producer {
            producer.doubtful.clear();
            if producer.mark != Mark::NONE {
                producer.mark.sequence = following(producer.mark.sequence, count);
            }
        }
    }

    fn encode(&self, part: &[Arc<Envelope>], mark: Mark, is_timely: bool) -> Vec<u8> {
        let values: Vec<_> = part.iter().map(|envelope| self.form.render(envelope, usize::MAX)).collect();
        let headers: Vec<_> = part.iter().map(|envelope| headers(envelope)).collect();
        let now = Timestamp::now();
        let records: Vec<Record<'_>> = part
            .iter()
            .zip(&values)
            .zip(&headers)
            .map(|((envelope, value), headers)| Record {
                key: &self.key,
                value,
                time: if is_timely { envelope.time } else { now }.as_millisecond(),
                headers,
            })
            .collect();
        batch::encode(&records, mark)
    }

    fn refused(&mut self, reason: &Fault, feed: &Feed) {
        feed.tally.lose(LossReason::Refused, 1);
        if self.refusal_told.is_none_or(|told| told.elapsed() >= REFUSAL_SILENCE) {
            self.refusal_told = Some(Instant::now());
            warn!("{} refuses messages, which are counted as lost: {reason}", self.name);
        }
    }
}

fn numbers(part: &[Arc<Envelope>]) -> Vec<u64> {
    part.iter().map(|envelope| envelope.sequence).collect()
}

/// The number after so many more: they go on with 0 after the last one.
fn following(sequence: i32, count: usize) -> i32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (sequence.cast_unsigned().wrapping_add(count) & i32::MAX.cast_unsigned()).cast_signed()
}

/// What consumers choose by, without reading the document.
fn headers(envelope: &Envelope) -> [(&'static str, String); 3] {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    let kind = serde_json::from_str(&envelope.document).map_or_else(|_| String::new(), |Kind { kind }| kind);
    [("kind", kind), ("event.id", envelope.id.to_string()), ("event.sequence", envelope.sequence.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `DefaultRecordBatch.incrementSequence` of Kafka counts.
    #[test]
    fn numbers_of_records_begin_anew_after_the_last() {
        for (sequence, count, next) in
            [(0, 1, 1), (0, 0, 0), (i32::MAX, 1, 0), (i32::MAX - 1, 1, i32::MAX), (i32::MAX - 2, 5, 2)]
        {
            assert_eq!(following(sequence, count), next, "{sequence} + {count}");
        }
    }
}
