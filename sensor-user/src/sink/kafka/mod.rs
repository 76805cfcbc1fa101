//! The sink for Kafka: each message is a record of a topic, acknowledged when every replica that is in step has it.
//!
//! One batch is under way at a time, over one connection to the leader of one partition, so that order is kept. The key of all
//! records is the agent's id: what one agent says is in one partition, as any other client of Kafka's would have chosen it.
//! The producer is idempotent: a batch that comes twice over the same run of the agent is known by the broker. Messages stay
//! in the outbox until they are acknowledged.
//!
//! # Why the protocol is spoken here
//!
//! Six requests are needed, each in one version that every broker from Kafka 1.0 to 4 knows. `rskafka` 0.6 has no idempotent
//! producer, retries by itself for ever, and brings 21 more crates (`rsasl` with Unicode tables, another SHA-2 and HMAC beside
//! ring's). `kafka-protocol` 0.18 brings three, and 90,000 lines for all requests there are, but connections, logins, leaders
//! and errors would be ours all the same. What is here is less than either and brings nothing new into the binary but itself.
//! librdkafka would be C beside it all.
//!
//! Not here: consuming, transactions, compression, `SASL/OAUTHBEARER` and Kerberos.

mod target;
mod wire;
mod checksum;
mod batch;
mod request;
mod code;
mod answer;
mod fault;
mod login;
mod link;
mod cluster;
mod lane;

#[cfg(test)]
mod tests;

use std::io;

use uuid::Uuid;

pub use login::{Login, Mechanism};
pub use target::{KafkaTarget, KafkaTargetError};

pub(super) use fault::Fault;

use self::cluster::Cluster;
use self::lane::Lane;
use super::Feed;

/// Delivers until there will be nothing more; `agent` is whose messages they are.
pub(super) async fn run(target: KafkaTarget, agent: Uuid, feed: Feed) {
    Lane::new(target, agent.to_string(), &feed).run(feed).await;
}

/// Whether the leader of this host's partition can be found and logs this host in; nothing is written.
///
/// # Errors
/// Why not.
pub(super) async fn reach(target: &KafkaTarget) -> io::Result<()> {
    Cluster::new(target.clone(), String::new()).leader().await.map(drop)
}
