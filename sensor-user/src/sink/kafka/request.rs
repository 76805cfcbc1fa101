//! The requests, each in the newest version that is not of the flexible kind and says what is needed
//! (<https://kafka.apache.org/protocol#protocol_api_keys>).

use std::time::Duration;

use super::wire::{Writer, length};

/// Who asks, in the broker's logs, metrics and quotas.
const CLIENT: &str = "tidewaiter";

/// Every replica that is in step has a batch before it is acknowledged.
const ACKS_ALL: i16 = -1;

/// How long a broker may wait for its replicas.
const REPLICAS_TIMEOUT: Duration = Duration::from_secs(10);

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Produce,
    Metadata,
    SaslHandshake,
    ApiVersions,
    InitProducerId,
    SaslAuthenticate,
}

impl Call {
    pub(super) const ALL: [Self; 6] = [
        Self::Produce,
        Self::Metadata,
        Self::SaslHandshake,
        Self::ApiVersions,
        Self::InitProducerId,
        Self::SaslAuthenticate,
    ];

    pub(super) fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::SaslHandshake => 17,
            Self::ApiVersions => 18,
            Self::InitProducerId => 22,
            Self::SaslAuthenticate => 36,
        }
    }

    /// The protocol's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Metadata => "Metadata",
            Self::SaslHandshake => "SaslHandshake",
            Self::ApiVersions => "ApiVersions",
            Self::InitProducerId => "InitProducerId",
            Self::SaslAuthenticate => "SaslAuthenticate",
        }
    }

    /// The first and the last version that is spoken here. Brokers from Kafka 1.0 to 4 know one of each.
    pub(super) fn versions(self) -> (i16, i16) {
        match self {
            // From 3 on it carries the second format, from 8 on its answer says which record is refused.
            Self::Produce => (3, 8),
            // Says whether a topic may be made.
            Self::Metadata => (4, 4),
            // From 1 on what follows is a request of its own.
            Self::SaslHandshake => (1, 1),
            // Whom one does not know yet is asked in the first one.
            Self::ApiVersions => (0, 0),
            Self::InitProducerId => (0, 1),
            // 1 says how long it holds.
            Self::SaslAuthenticate => (0, 1),
        }
    }
}

/// A request with its length before it.
pub(super) fn framed(call: Call, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let request = Writer::default().int16(call.key()).int16(version).int32(correlation).string(CLIENT);
    let request = request.raw(body).into_bytes();
    Writer::default().bytes(&request).into_bytes()
}

/// What is there of a topic; where there is none, one may be made if the broker does that.
pub(super) fn metadata(topic: &str) -> Vec<u8> {
    Writer::default().int32(1).string(topic).boolean(true).into_bytes()
}

/// A producer's id, for no transaction.
pub(super) fn producer_id() -> Vec<u8> {
    Writer::default().null_string().int32(0).into_bytes()
}

/// Which mechanism a login is by.
pub(super) fn sasl_handshake(mechanism: &str) -> Vec<u8> {
    Writer::default().string(mechanism).into_bytes()
}

/// A step of a login.
pub(super) fn sasl_authenticate(token: &[u8]) -> Vec<u8> {
    Writer::default().bytes(token).into_bytes()
}

/// A batch for one partition.
pub(super) fn produce(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let timeout = i32::try_from(REPLICAS_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    let one = length(1);
    Writer::default()
        .null_string()
        .int16(ACKS_ALL)
        .int32(timeout)
        .int32(one)
        .string(topic)
        .int32(one)
        .int32(partition)
        .bytes(batch)
        .into_bytes()
}
