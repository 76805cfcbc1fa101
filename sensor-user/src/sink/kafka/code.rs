//! What a broker's error code means for what it was sent (<https://kafka.apache.org/protocol#protocol_error_codes>).
//!
//! Only three of them say that a message itself is refused for good. All others are about the cluster, the topic, who
//! asks, or the connection: a message waits until that is mended, whether the protocol's table calls the code
//! retriable or not, since a password that has run out must cost nothing.

/// An error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) i16);

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Every replica that is in step has it.
    Taken,
    /// It will never be taken as it is: its halves may be, or one of its records.
    Refused,
    /// Somebody else leads the partition by now, or nobody for a moment: look who, and send the same.
    Moved,
    /// The broker has forgotten the producer, or lost count: begin as another one.
    Forgotten,
    /// Its times are not to the broker's liking.
    Untimely,
    /// The same again, later.
    Later,
}

impl Code {
    pub(super) const NONE: Self = Self(0);
    pub(super) const UNKNOWN_TOPIC: Self = Self(3);
    pub(super) const LEADER_NOT_AVAILABLE: Self = Self(5);
    pub(super) const NOT_LEADER: Self = Self(6);
    pub(super) const REQUEST_TIMED_OUT: Self = Self(7);
    pub(super) const MESSAGE_TOO_LARGE: Self = Self(10);
    pub(super) const INVALID_TOPIC: Self = Self(17);
    pub(super) const RECORD_LIST_TOO_LARGE: Self = Self(18);
    pub(super) const NOT_ENOUGH_REPLICAS: Self = Self(19);
    pub(super) const NOT_ENOUGH_REPLICAS_AFTER_APPEND: Self = Self(20);
    pub(super) const TOPIC_DENIED: Self = Self(29);
    pub(super) const CLUSTER_DENIED: Self = Self(31);
    pub(super) const INVALID_TIMESTAMP: Self = Self(32);
    pub(super) const UNSUPPORTED_MECHANISM: Self = Self(33);
    pub(super) const ILLEGAL_SASL_STATE: Self = Self(34);
    pub(super) const UNSUPPORTED_VERSION: Self = Self(35);
    pub(super) const UNSUPPORTED_FORMAT: Self = Self(43);
    pub(super) const OUT_OF_ORDER_SEQUENCE: Self = Self(45);
    pub(super) const DUPLICATE_SEQUENCE: Self = Self(46);
    pub(super) const INVALID_PRODUCER_EPOCH: Self = Self(47);
    pub(super) const INVALID_PRODUCER_ID: Self = Self(49);
    pub(super) const TRANSACTIONAL_ID_DENIED: Self = Self(53);
    pub(super) const STORAGE: Self = Self(56);
    pub(super) const LOGIN_FAILED: Self = Self(58);
    pub(super) const UNKNOWN_PRODUCER: Self = Self(59);
    pub(super) const FENCED_LEADER_EPOCH: Self = Self(74);
    pub(super) const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    pub(super) const INVALID_RECORD: Self = Self(87);

    /// Of an answer to a batch.
    pub(super) fn meaning(self) -> Meaning {
        match self {
            // A sequence that is known to be there is a batch that came before.
            Self::NONE | Self::DUPLICATE_SEQUENCE => Meaning::Taken,
            Self::MESSAGE_TOO_LARGE | Self::RECORD_LIST_TOO_LARGE | Self::INVALID_RECORD => Meaning::Refused,
            Self::UNKNOWN_TOPIC
            | Self::LEADER_NOT_AVAILABLE
            | Self::NOT_LEADER
            | Self::FENCED_LEADER_EPOCH
            | Self::UNKNOWN_LEADER_EPOCH => Meaning::Moved,
            Self::OUT_OF_ORDER_SEQUENCE
            | Self::INVALID_PRODUCER_EPOCH
            | Self::INVALID_PRODUCER_ID
            | Self::UNKNOWN_PRODUCER => Meaning::Forgotten,
            Self::INVALID_TIMESTAMP => Meaning::Untimely,
            // Codes are numbers, and new ones come with each version of brokers.
            Self(_) => Meaning::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No number but these three costs a message.
    #[test]
    fn what_codes_mean() {
        let of =
            |wanted| (i16::MIN..=i16::MAX).filter(|code| Code(*code).meaning() == wanted).collect::<Vec<_>>();
        assert_eq!(of(Meaning::Taken), [0, 46]);
        assert_eq!(of(Meaning::Refused), [10, 18, 87]);
        assert_eq!(of(Meaning::Moved), [3, 5, 6, 74, 75]);
        assert_eq!(of(Meaning::Forgotten), [45, 47, 49, 59]);
        assert_eq!(of(Meaning::Untimely), [32]);
    }
}
