//! Finds the broker that leads the partition, and connects to it.

use std::io;

use super::answer::{Metadata, Topic};
use super::checksum::partition;
use super::code::Code;
use super::fault::{Fault, told};
use super::link::Link;
use super::request::{self, Call};
use super::target::KafkaTarget;
use crate::sink::authority::{authority, shown};
use crate::sink::tls;

/// Brokers that are asked besides those that were named, should none of these be up.
const KNOWN_MAX: usize = 16;

/// A cluster, as far as one host has to know it.
#[derive(Debug)]
pub(super) struct Cluster {
    target: KafkaTarget,
    /// The key of all records: what it says is in one partition, in order.
    key: String,
    /// Whom the last answer named.
    known: Vec<(String, u16)>,
    /// Who of them all is asked first.
    next: usize,
}

impl Cluster {
    pub(super) fn new(target: KafkaTarget, key: String) -> Self {
        Self { target, key, known: Vec::new(), next: 0 }
    }

    /// A connection to the leader of the key's partition, and the number of that.
    ///
    /// # Errors
    /// Nobody could be asked, or the topic is not to be had. Of several reasons the most telling one.
    pub(super) async fn leader(&mut self) -> io::Result<(Link, i32)> {
        let places: Vec<(String, u16)> = self.target.brokers.iter().chain(&self.known).cloned().collect();
        let mut reason: Option<io::Error> = None;
        for _ in 0..places.len() {
            let at = self.next % places.len();
            let Some((host, port)) = places.get(at) else { break };
            match self.by_way_of(host, *port).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    self.next = at + 1;
                    if reason.as_ref().is_none_or(|reason| !is_telling(reason) && is_telling(&error)) {
                        reason = Some(error);
                    }
                }
            }
        }
        Err(reason.unwrap_or_else(|| io::Error::other("no broker is named")))
    }

    /// The same, found by asking one broker.
    async fn by_way_of(&mut self, host: &str, port: u16) -> io::Result<(Link, i32)> {
        let mut link = Link::open(&self.target, host, port).await?;
        let name = &self.target.topic;
        let version = link.version(Call::Metadata)?;
        let answer = link.ask(Call::Metadata, version, &request::metadata(name)).await?;
        let Metadata { throttle, brokers, topic } = Metadata::read(&answer, name)?;
        link.keep_quiet(throttle);
        let topic = topic.ok_or_else(|| Fault::UnknownTopic(name.clone()))?;
        if topic.code != Code::NONE {
            return Err(Fault::of(topic.code, name, None).into());
        }
        let (partition, number) = self.leader_of(&topic)?;
        let leader = brokers.iter().find(|(broker, ..)| *broker == number);
        let (_, host, port) = leader.ok_or_else(|| Fault::NoLeader(name.clone()))?;
        // As careful as with a word of the configuration: it says where this host connects to.
        authority(&shown(host, *port), 0).map_err(|_| Fault::Place(told(&shown(host, *port))))?;
        if (&link.host, link.port) != (host, *port) {
            link = Link::open(&self.target, host, *port).await?;
        }
        let others = brokers.into_iter().map(|(_, host, port)| (host, port));
        let others = others.filter(|(host, port)| authority(&shown(host, *port), 0).is_ok());
        self.known = others.filter(|place| !self.target.brokers.contains(place)).take(KNOWN_MAX).collect();
        Ok((link, partition))
    }

    fn leader_of(&self, topic: &Topic) -> Result<(i32, i32), Fault> {
        let none = || Fault::NoLeader(self.target.topic.clone());
        let partition = partition(&self.key, topic.partitions()).ok_or_else(none)?;
        Ok((partition, topic.leader(partition).ok_or_else(none)?))
    }
}

/// Whether an error says what is to be mended.
fn is_telling(error: &io::Error) -> bool {
    Fault::within(error).is_some() || tls::Fault::within(error).is_some()
}
