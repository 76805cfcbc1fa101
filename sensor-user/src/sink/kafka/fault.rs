//! What is wrong between this host and a broker, as its operator reads it: what, and what to do.

use std::io::{self, ErrorKind};

use super::code::Code;
use crate::sink::text::escape::visible;

/// Characters of what a broker says that are told: whoever answers chose it.
const TOLD_MAX: usize = 160;

/// Each sentence follows "it is away: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sink) enum Fault {
    #[error("it speaks no Kafka ({0}): name its port for that, usually 9092; over TLS write kafkas://")]
    NoKafka(String),
    #[error("it knows no version of {0} that is spoken here: it has to be Kafka 1.0 or newer")]
    Version(&'static str),
    #[error(
        "it answers with {0} bytes at once, which is more than is taken: name a broker's port for Kafka, and write \
         kafkas:// where it speaks TLS"
    )]
    TooLong(i64),
    #[error(
        "it closed the connection instead of an answer: write kafkas:// if it wants TLS, name `user` and \
         `password_file` if it wants a login; its log may say why"
    )]
    Closed,
    #[error("it has no topic {0}: make it there, or let the broker make topics (auto.create.topics.enable)")]
    UnknownTopic(String),
    #[error("it takes no topic of the name {0}: name another")]
    InvalidTopic(String),
    #[error(
        "it lets this host not write to topic {0}: give its user the operations Write and Describe there"
    )]
    TopicDenied(String),
    #[error("it lets this host not work with the cluster: its log names the operation that its user lacks")]
    ClusterDenied,
    #[error(
        "it refuses the user {user} with this password{said}: look at `user`, `mechanism` and `password_file`"
    )]
    LoginFailed { user: String, said: String },
    #[error("it takes no login by {wanted}, but by {offered}: name one of these as `mechanism`")]
    Mechanism { wanted: &'static str, offered: String },
    #[error("it takes no login at this port: name its port for SASL, or leave `user` out")]
    NoLogin,
    #[error("it does not know the password of {0} itself: somebody may pose as it")]
    Impostor(String),
    #[error("its login makes no sense ({0}): is it a broker?")]
    LoginBroken(&'static str),
    #[error(
        "the broker {0} would get the password in the clear: write kafkas://, or take one of the mechanisms scram-sha-…"
    )]
    Clear(String),
    #[error("it names {0} as the place of a broker: mend advertised.listeners there")]
    Place(String),
    #[error("a part of topic {0} has no leader: its brokers are down or choose one")]
    NoLeader(String),
    #[error(
        "too few replicas of topic {0} are in step: its brokers are down, or min.insync.replicas is too high"
    )]
    Replicas(String),
    #[error("its replicas did not have it in time")]
    Slow,
    #[error("its disk fails: its log says more")]
    Storage,
    #[error("its times are none that it takes: is the clock of this host right, and that of the broker?")]
    Clock,
    #[error("topic {0} has a record format of before Kafka 1.0: raise log.message.format.version there")]
    Format(String),
    #[error("it is longer than topic {0} takes: raise max.message.bytes there")]
    TooLarge(String),
    #[error("it is no record that topic {topic} takes{said}: that is the broker's own rule")]
    Invalid { topic: String, said: String },
    #[error("it answers with error {code}{said}; its log may say more")]
    Other { code: i16, said: String },
}

impl Fault {
    /// What a code that is no success means where `topic` was asked for.
    pub(super) fn of(code: Code, topic: &str, said: Option<&str>) -> Self {
        let topic = topic.to_owned();
        match code {
            Code::UNKNOWN_TOPIC => Self::UnknownTopic(topic),
            Code::INVALID_TOPIC => Self::InvalidTopic(topic),
            Code::TOPIC_DENIED => Self::TopicDenied(topic),
            Code::CLUSTER_DENIED => Self::ClusterDenied,
            Code::LEADER_NOT_AVAILABLE | Code::NOT_LEADER => Self::NoLeader(topic),
            Code::NOT_ENOUGH_REPLICAS | Code::NOT_ENOUGH_REPLICAS_AFTER_APPEND => Self::Replicas(topic),
            Code::REQUEST_TIMED_OUT => Self::Slow,
            Code::STORAGE => Self::Storage,
            Code::INVALID_TIMESTAMP => Self::Clock,
            Code::MESSAGE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE => Self::TooLarge(topic),
            Code::INVALID_RECORD => Self::Invalid { topic, said: after(said) },
            Code::UNSUPPORTED_FORMAT => Self::Format(topic),
            Code(code) => Self::Other { code, said: after(said) },
        }
    }

    /// The fault that an error was made of.
    pub(in crate::sink) fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(ErrorKind::InvalidData, fault)
    }
}

/// What a broker says, as what follows a sentence.
pub(super) fn after(said: Option<&str>) -> String {
    said.filter(|said| !said.is_empty()).map_or_else(String::new, |said| format!(" ({})", told(said)))
}

/// Safe to show.
pub(super) fn told(text: &str) -> String {
    let cut: String = text.chars().take(TOLD_MAX).collect();
    visible(&cut).into_owned()
}
