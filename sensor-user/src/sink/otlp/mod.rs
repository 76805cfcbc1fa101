//! The sink for OpenTelemetry collectors and what else takes logs by OTLP: protobuf over HTTP, or gRPC
//! (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! Not here: traces and metrics, compression, JSON.

mod answer;
mod message;
mod record;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{HeaderValue, TE};
use prost::Message as _;
use serde::{Deserialize, Deserializer};

use self::answer::{PREFIX, PROTOBUF, over_grpc, over_http};
use super::Feed;
use super::http::{
    Answer, HttpAddress, HttpEntry, HttpEntryError, HttpReceiver, Lane, Protocol, Question, Scheme, Sender,
    Verdict, word_or_map,
};
use super::tls::TlsKeys;
use crate::outbox::Envelope;

/// The specification's ports are the same with TLS and without.
const SCHEMES: [Scheme; 4] = [
    Scheme { name: "http", is_tls: false, port: 4318 },
    Scheme { name: "https", is_tls: true, port: 4318 },
    Scheme { name: "grpc", is_tls: false, port: 4317 },
    Scheme { name: "grpcs", is_tls: true, port: 4317 },
];

/// Where logs go over HTTP, unless the address says otherwise.
const PATH: &str = "/v1/logs";

/// The method over gRPC: package, service and name as the definitions have them.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Most messages in one request: as many as the outbox gives at one look.
const BATCH_MAX: usize = 64;

/// Bytes of an answer that are read. The specification recommends 4 MiB; what is of use in it is one sentence.
const ANSWER_MAX: usize = 64 << 10;

/// What the body of a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// The sentence; the document's fields are attributes.
    #[default]
    Message,
    /// The document, as JSON; what receivers search by are attributes too.
    Document,
}

/// A receiver of OTLP logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpTarget {
    pub receiver: HttpReceiver,
    pub body: Body,
}

/// The map. `url` is the word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(default)]
    body: Body,
    token_file: Option<PathBuf>,
    #[serde(default)]
    header_files: BTreeMap<String, PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    fingerprint: Option<String>,
}

impl From<String> for Entry {
    fn from(url: String) -> Self {
        Self {
            url,
            body: Body::default(),
            token_file: None,
            header_files: BTreeMap::new(),
            ca: None,
            certificate: None,
            key: None,
            fingerprint: None,
        }
    }
}

impl TryFrom<Entry> for OtlpTarget {
    type Error = HttpEntryError;

    fn try_from(entry: Entry) -> Result<Self, HttpEntryError> {
        let Entry { url, body, token_file, header_files, ca, certificate, key, fingerprint } = entry;
        let address = HttpAddress::parse(&url, &SCHEMES, "/")?;
        let is_bare = address.path() == "/";
        let (address, secure) = match address.scheme() {
            "grpc" | "grpcs" if is_bare => (address, "grpcs://"),
            "grpc" | "grpcs" => return Err(HttpEntryError::Path { scheme: address.scheme() }),
            _ if is_bare => (address.with_path(PATH), "https://"),
            _ => (address, "https://"),
        };
        let http = HttpEntry { tls: TlsKeys { ca, certificate, key, fingerprint }, token_file, header_files };
        Ok(Self { receiver: http.receiver(address, secure)?, body })
    }
}

impl<'de> Deserialize<'de> for OtlpTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word_or_map::<D, Entry, Self>(
            deserializer,
            "a receiver such as http://HOST:4318 or grpc://HOST:4317, or a map with its `url`",
        )
    }
}

impl FromStr for OtlpTarget {
    type Err = OtlpError;

    fn from_str(text: &str) -> Result<Self, OtlpError> {
        Self::try_from(Entry::from(text.to_owned())).map_err(|error| OtlpError(error.to_string()))
    }
}

/// Why a word is no receiver of OTLP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OtlpError(String);

impl fmt::Display for OtlpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(f)
    }
}

impl OtlpTarget {
    pub(super) fn protocol(&self) -> Protocol {
        protocol(&self.receiver)
    }
}

fn protocol(receiver: &HttpReceiver) -> Protocol {
    if receiver.address.scheme().starts_with("grpc") { Protocol::Http2 } else { Protocol::Http1 }
}

/// Delivers until there will be nothing more.
pub(super) async fn run(target: OtlpTarget, feed: Feed) {
    let name = format!("otlp {target}");
    let OtlpTarget { mut receiver, body } = target;
    let protocol = protocol(&receiver);
    let is_grpc = protocol == Protocol::Http2;
    if is_grpc {
        receiver.address = receiver.address.with_path(EXPORT);
    }
    let lane = Lane { name, receiver, protocol, sender: Otlp { is_grpc, body } };
    lane.run(feed).await;
}

#[derive(Debug)]
struct Otlp {
    is_grpc: bool,
    body: Body,
}

impl Sender for Otlp {
    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    fn answer_max(&self) -> usize {
        ANSWER_MAX
    }

    fn question(&self, batch: &[Arc<Envelope>]) -> Question {
        let request = record::request(batch, self.body);
        let body = if self.is_grpc { prefixed(&request) } else { request.encode_to_vec().into() };
        let content_type = if self.is_grpc { "application/grpc" } else { PROTOBUF };
        Question {
            content_type: HeaderValue::from_static(content_type),
            // Says that the status behind the body is understood (gRPC over HTTP/2, "Requests").
            headers: self.is_grpc.then(|| (TE, HeaderValue::from_static("trailers"))).into_iter().collect(),
            body,
        }
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        if self.is_grpc { over_grpc(answer) } else { over_http(answer) }
    }
}

/// As gRPC sends a message: not compressed, its length, itself.
fn prefixed(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    // A batch has a few MiB at most.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    bytes.put_slice(&message.encode_to_vec());
    bytes.freeze()
}

#[cfg(test)]
mod tests;
