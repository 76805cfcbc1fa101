//! Finds the message in a line, whatever a receiver put around it.
//!
//! A message is the first `{` from which a JSON object of ours can be read. Else it may stand in a text of the line's own
//! JSON object, as in `msg` of rsyslog's or `MESSAGE` of the journal's. A line that has no message is damaged if it has
//! what only our messages have, and another program's if not.

use serde::Deserialize;
use serde_json::{Deserializer, Value};
use uuid::Uuid;

/// `event.module` of every message.
const MODULE: &str = "tidewaiter";
/// How a message begins: the order of its keys is fixed.
const HEAD: &str = "{\"@timestamp\":\"";
/// What stands in the least of it.
const HEAD_WORD: &str = "@t";
/// Bytes of a time (`2026-11-21T12:03:14.281042Z`), and what follows it.
const TIME: usize = 27;
const AFTER_TIME: &str = "\",\"kind\":\"";
/// Least of [`HEAD`] that is taken for it where the line ends there.
const HEAD_MIN: usize = 4;
/// What no other program writes.
const MARKS: [&str; 3] = ["\"module\":\"tidewaiter\"", "\"dataset\":\"tidewaiter.", "[tidewaiter@32473 "];
/// Most places of a line at which a message is looked for. In front of ours receivers write a head that has a few
/// braces at most; without a bound a line of braces would take time by the square of its length.
const TRIES_MAX: usize = 64;
/// Longest text that is kept of a message, bytes.
const TEXT_MAX: usize = 256;
/// Most rows that are read of a loss notice; the agent writes seventeen.
const LOSSES_MAX: usize = 64;

/// What a line turned out to be.
#[derive(Debug)]
pub(super) enum Reading {
    Message(Box<Message>),
    Damaged(Damage),
    /// Another program's.
    Foreign,
}

/// What is wrong with a line that was ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The JSON ends too early.
    CutShort,
    /// It is no JSON, or not as we write it.
    Broken,
    /// No `agent.id`, or no number from 1 on.
    Unnumbered,
    /// Longer than any message.
    TooLong,
}

impl Damage {
    /// In a few words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::CutShort => "cut short",
            Self::Broken => "broken",
            Self::Unnumbered => "without agent.id or number",
            Self::TooLong => "too long",
        }
    }
}

/// What is needed of a message. Texts are cut at [`TEXT_MAX`].
#[derive(Debug)]
pub(super) struct Message {
    pub(super) agent: Uuid,
    pub(super) run: Option<Uuid>,
    /// `event.sequence`.
    pub(super) number: u64,
    /// `event.id`, of an event its time.
    pub(super) id: String,
    pub(super) kind: Kind,
    /// `@timestamp`.
    pub(super) time: String,
    pub(super) host: String,
}

/// What a message is, as far as that matters here.
#[derive(Debug)]
pub(super) enum Kind {
    Heartbeat,
    Stopped,
    /// What was lost: kind, reason, how many.
    Loss(Vec<(String, String, u64)>),
    Other,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(line);
    if !text.contains(MODULE) && !text.contains(HEAD_WORD) {
        return Reading::Foreign;
    }
    let mut is_cut = false;
    if let Some(reading) = message(line, &mut is_cut).or_else(|| wrapped(line, &mut is_cut)) {
        return reading;
    }
    match looks_like_ours(&text) {
        true if is_cut => Reading::Damaged(Damage::CutShort),
        true => Reading::Damaged(Damage::Broken),
        false => Reading::Foreign,
    }
}

/// Judges a line of which only the beginning was read.
pub(super) fn read_too_long(line: &[u8]) -> Reading {
    if looks_like_ours(&String::from_utf8_lossy(line)) {
        Reading::Damaged(Damage::TooLong)
    } else {
        Reading::Foreign
    }
}

/// The first object of ours in it. `is_cut`: the last one that was begun has no end.
fn message(text: &[u8], is_cut: &mut bool) -> Option<Reading> {
    let braces = text.iter().enumerate().filter(|(_, byte)| **byte == b'{').take(TRIES_MAX);
    for (start, _) in braces {
        let rest = text.get(start..).unwrap_or_default();
        let mut values = Deserializer::from_slice(rest).into_iter::<Document>();
        match values.next() {
            Some(Ok(document)) if document.event.module == MODULE => {
                let whole = rest.get(..values.byte_offset()).unwrap_or_default();
                return Some(judge(document, whole));
            }
            Some(Ok(_)) | None => {}
            Some(Err(error)) => *is_cut |= error.is_eof(),
        }
    }
    None
}

/// The object of ours in a text of the line's first object.
fn wrapped(line: &[u8], is_cut: &mut bool) -> Option<Reading> {
    let start = line.iter().position(|byte| *byte == b'{')?;
    let mut values = Deserializer::from_slice(line.get(start..)?).into_iter::<Value>();
    let Some(Ok(Value::Object(object))) = values.next() else { return None };
    let texts = object.values().filter_map(Value::as_str);
    texts.filter(|text| text.contains(MODULE)).find_map(|text| message(text.as_bytes(), is_cut))
}

fn judge(document: Document, whole: &[u8]) -> Reading {
    // What is passed over while reading is not looked at; a message is UTF-8 to its last byte.
    if std::str::from_utf8(whole).is_err() {
        return Reading::Damaged(Damage::Broken);
    }
    let Document { timestamp, kind, event, agent, host, tidewaiter } = document;
    // The picture of `tidewaiter ps` is an answer, not a message.
    if kind == "picture" {
        return Reading::Foreign;
    }
    let (Some(id), Some(number)) = (agent.id, event.sequence.filter(|number| *number > 0)) else {
        return Reading::Damaged(Damage::Unnumbered);
    };
    let kind = match kind.as_str() {
        "heartbeat" => Kind::Heartbeat,
        "stopped" => Kind::Stopped,
        "loss" => {
            let rows = tidewaiter.losses.into_iter().take(LOSSES_MAX);
            Kind::Loss(rows.map(|loss| (cut(loss.what), cut(loss.reason), loss.count)).collect())
        }
        _ => Kind::Other,
    };
    let time = cut(timestamp);
    Reading::Message(Box::new(Message {
        agent: id,
        run: agent.ephemeral_id,
        number,
        id: event.id.map_or_else(|| time.clone(), cut),
        kind,
        time,
        host: cut(host.hostname),
    }))
}

/// Whether it has what only our messages have, as it is or with its quotation marks escaped once more.
fn looks_like_ours(text: &str) -> bool {
    let text = text.replace("\\\"", "\"");
    MARKS.iter().any(|mark| text.contains(mark)) || is_tagged(&text) || has_head(&text)
}

/// `tidewaiter[77]: {`, as local sockets have it.
fn is_tagged(text: &str) -> bool {
    text.split("tidewaiter[").skip(1).any(|rest| {
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        rest.strip_prefix("]:").is_some_and(|rest| rest.trim_start().starts_with('{'))
    })
}

/// The beginning of a message, as far as there is any of it.
fn has_head(text: &str) -> bool {
    let text = text.trim_end_matches('\\').trim_end();
    if (HEAD_MIN..HEAD.len()).any(|end| HEAD.get(..end).is_some_and(|begun| text.ends_with(begun))) {
        return true;
    }
    text.split(HEAD).skip(1).any(|rest| match rest.get(TIME..) {
        Some(after) => after.starts_with(AFTER_TIME) || AFTER_TIME.starts_with(after),
        None => rest.len() < TIME,
    })
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

/// The keys that are read; all others are passed over.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    kind: String,
    event: EventKeys,
    #[serde(default)]
    agent: AgentKeys,
    #[serde(default)]
    host: HostKeys,
    #[serde(default)]
    tidewaiter: OwnKeys,
}

#[derive(Deserialize)]
struct EventKeys {
    module: String,
    id: Option<String>,
    sequence: Option<u64>,
}

#[derive(Default, Deserialize)]
struct AgentKeys {
    id: Option<Uuid>,
    ephemeral_id: Option<Uuid>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HostKeys {
    hostname: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnKeys {
    losses: Vec<LossKeys>,
}

#[derive(Deserialize)]
struct LossKeys {
    what: String,
    reason: String,
    count: u64,
}
