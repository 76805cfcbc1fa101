//! The sink for webhooks: each message is the body of a POST, or several are as lines of JSON.
//!
//! A receiver acknowledges with any status of the class 2xx. `408`, `429`, all of the class 5xx and redirections mean "not
//! now"; so do `401`, `403` and `407`, which say who may not send and nothing of what was sent: a token that has run
//! out must cost no message, and its file is read again for the next attempt. Any other is a refusal for good.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Feed;
use super::form::Form;
use super::http::{
    Answer, HttpAddress, HttpEntry, HttpEntryError, HttpReceiver, Lane, Protocol, Question, Scheme, Sender,
    Verdict, reason, word_or_map,
};
use super::tls::TlsKeys;
use crate::outbox::Envelope;

const SECURE: &str = "https://";

const SCHEMES: [Scheme; 2] =
    [Scheme { name: "https", is_tls: true, port: 443 }, Scheme { name: "http", is_tls: false, port: 80 }];

/// Most messages in one request: as many as the outbox gives at one look.
const BATCH_MAX: usize = 64;

/// Bytes of an answer that are read: enough for a sentence of what is wrong.
const ANSWER_MAX: usize = 4096;

/// Tells a receiver that it has a message already (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A receiver of POSTs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    pub receiver: HttpReceiver,
    pub form: Form,
    /// Most messages in one request; one: each is a body of its own.
    pub batch: usize,
}

/// The map. `url` is the word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(default)]
    format: Form,
    #[serde(default = "one", deserialize_with = "batch")]
    batch: usize,
    token_file: Option<PathBuf>,
    #[serde(default)]
    header_files: BTreeMap<String, PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    fingerprint: Option<String>,
}

fn one() -> usize {
    1
}

fn batch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = usize::deserialize(deserializer)?;
    if !(1..=BATCH_MAX).contains(&number) {
        return Err(D::Error::custom(format!(
            "{number} messages are no batch: it has from 1 to {BATCH_MAX}"
        )));
    }
    Ok(number)
}

impl From<String> for Entry {
    fn from(url: String) -> Self {
        Self {
            url,
            format: Form::default(),
            batch: 1,
            token_file: None,
            header_files: BTreeMap::new(),
            ca: None,
            certificate: None,
            key: None,
            fingerprint: None,
        }
    }
}

impl TryFrom<Entry> for WebhookTarget {
    type Error = HttpEntryError;

    fn try_from(entry: Entry) -> Result<Self, HttpEntryError> {
        let Entry { url, format, batch, token_file, header_files, ca, certificate, key, fingerprint } = entry;
        let address = HttpAddress::parse(&url, &SCHEMES, "/")?;
        let http = HttpEntry { tls: TlsKeys { ca, certificate, key, fingerprint }, token_file, header_files };
        Ok(Self { receiver: http.receiver(address, SECURE)?, form: format, batch })
    }
}

impl<'de> Deserialize<'de> for WebhookTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word_or_map::<D, Entry, Self>(
            deserializer,
            "a receiver such as https://HOST/PATH, or a map with its `url`",
        )
    }
}

impl FromStr for WebhookTarget {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, WebhookError> {
        Self::try_from(Entry::from(text.to_owned())).map_err(|error| WebhookError(error.to_string()))
    }
}

/// Why a word is no webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WebhookError(String);

/// The address, as far as it may be shown, and the form where it is not the usual one.
impl fmt::Display for WebhookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(f)?;
        if self.form == Form::default() { Ok(()) } else { write!(f, " as {}", self.form.name()) }
    }
}

/// Delivers until there will be nothing more.
pub(super) async fn run(target: WebhookTarget, feed: Feed) {
    let name = format!("webhook {target}");
    let WebhookTarget { receiver, form, batch } = target;
    let lane = Lane { name, receiver, protocol: Protocol::Http1, sender: Webhook { form, batch } };
    lane.run(feed).await;
}

#[derive(Debug)]
struct Webhook {
    form: Form,
    batch: usize,
}

impl Sender for Webhook {
    fn batch_max(&self) -> usize {
        self.batch
    }

    fn answer_max(&self) -> usize {
        ANSWER_MAX
    }

    fn question(&self, batch: &[Arc<Envelope>]) -> Question {
        let mut body = String::new();
        for envelope in batch {
            body.push_str(&self.form.render(envelope, usize::MAX));
            if self.batch > 1 {
                body.push('\n');
            }
        }
        Question {
            content_type: HeaderValue::from_static(self.content_type()),
            headers: idempotency_key(batch).map(|key| (IDEMPOTENCY_KEY, key)).into_iter().collect(),
            body: Bytes::from(body),
        }
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        let status = answer.status;
        let is_for_later = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        );
        if status.is_success() {
            Verdict::Taken
        } else if is_for_later || !status.is_client_error() {
            Verdict::Later { reason: reason(answer), after: answer.retry_after(Timestamp::now()) }
        } else {
            Verdict::Refused { reason: reason(answer) }
        }
    }
}

impl Webhook {
    fn content_type(&self) -> &'static str {
        match self.form {
            // The registry has no better one for JSON lines; this is what receivers of bulk JSON ask for.
            Form::Ecs | Form::Ocsf | Form::Falco if self.batch > 1 => "application/x-ndjson",
            Form::Ecs | Form::Ocsf | Form::Falco => "application/json",
            Form::Cef => "text/plain; charset=utf-8",
        }
    }
}

/// `event.id` with `event.sequence`, since an amendment has its alert's id and is another message; of several the first
/// one's with the last number.
fn idempotency_key(batch: &[Arc<Envelope>]) -> Option<HeaderValue> {
    let (first, last) = (batch.first()?, batch.last()?);
    let more = if batch.len() > 1 { format!("-{}", last.sequence) } else { String::new() };
    HeaderValue::try_from(format!("\"{}-{}{more}\"", first.id, first.sequence)).ok()
}

#[cfg(test)]
mod tests {
    use ::http::HeaderMap;

    use super::*;

    #[test]
    fn what_a_status_means() {
        let webhook = Webhook { form: Form::Ecs, batch: 1 };
        for (statuses, expected) in [
            (&[200, 201, 202, 204][..], "taken"),
            (&[301, 302, 307, 308, 401, 403, 407, 408, 429, 500, 502, 503, 504, 507][..], "later"),
            (&[400, 404, 405, 410, 413, 415, 422, 431][..], "refused"),
        ] {
            for status in statuses {
                let status = StatusCode::from_u16(*status).unwrap();
                let verdict = match webhook.verdict(&Answer::new(status, HeaderMap::new())) {
                    Verdict::Taken => "taken",
                    Verdict::Later { .. } => "later",
                    Verdict::Refused { .. } => "refused",
                    Verdict::Part { .. } => "part",
                };
                assert_eq!(verdict, expected, "{status}");
            }
        }
    }

    #[test]
    fn a_word_and_a_map_of_it_are_the_same() {
        let read =
            |text: &str| serde_saphyr::from_str::<WebhookTarget>(text).map_err(|error| error.to_string());
        let word: WebhookTarget = "https://h/hook".parse().unwrap();
        assert_eq!((word.form, word.batch, word.to_string().as_str()), (Form::Ecs, 1, "https://h:443/hook"));
        assert_eq!(read("https://h/hook").as_ref(), Ok(&word));
        assert_eq!(read("{url: \"https://h/hook\", format: ecs, batch: 1}"), Ok(word));
        let all = read(
            "url: https://h\nformat: falco\nbatch: 64\ntoken_file: /t\nheader_files: {x-api-key: /k}\nca: /a\n\
             certificate: /c\nkey: /k\n",
        )
        .unwrap();
        assert_eq!((all.form, all.batch, all.receiver.secrets.len()), (Form::Falco, 64, 2));
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, reason) in [
            ("ftp://h", "write https://HOST:PORT or http://HOST:PORT"),
            ("{url: \"https://h\", batch: 0}", "from 1 to 64"),
            ("{url: \"https://h\", batch: 65}", "from 1 to 64"),
            ("{url: \"https://h\", format: xml}", "xml"),
            ("{url: \"https://h\", verify: false}", "verify"),
            (
                "{url: \"http://h\", ca: /a}",
                "`ca` says how to trust http://, which is sent to in the clear: write https://",
            ),
            (
                "{url: \"http://h\", token_file: /t}",
                "`token_file` would go to http:// in the clear: write https://",
            ),
            ("{url: \"http://localhost\", header_files: {x-key: /t}}", "`header_files` would go to http://"),
            ("{url: \"https://h\", header_files: {\"a b\": /t}}", "`a b` is no name of a header"),
            ("{url: \"https://h\", header_files: {Host: /t}}", "the header `host` is not for a file"),
            ("{url: \"https://h\", token_file: /t, header_files: {Authorization: /t}}", "name one of them"),
            ("{url: \"https://h\", key: /t}", "`key` stands without `certificate`"),
            ("{format: ecs}", "url"),
            ("80", "a receiver such as https://HOST/PATH"),
        ] {
            let error = serde_saphyr::from_str::<WebhookTarget>(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
