//! What a receiver answers, and what that means for what it was sent.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::sink::text::escape::visible;

/// Longest pause that a receiver may ask for. Beyond it nobody knows whether it is still meant.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Characters of what a receiver says that are told.
const SAID_MAX: usize = 160;

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::sink) struct Answer {
    pub(in crate::sink) status: StatusCode,
    pub(in crate::sink) headers: HeaderMap,
    pub(in crate::sink) body: Vec<u8>,
    /// The body was longer than is kept.
    pub(in crate::sink) is_cut: bool,
    pub(in crate::sink) trailers: HeaderMap,
}

/// What becomes of the messages of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Verdict {
    /// The receiver has them.
    Taken,
    /// It has them but for so many, which it will never take.
    Part { rejected: u64, reason: String },
    /// Not now: the same again, after the pause that it asked for if it did.
    Later { reason: String, after: Option<Duration> },
    /// Never as they are.
    Refused { reason: String },
}

impl Answer {
    pub(in crate::sink) fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, body: Vec::new(), is_cut: false, trailers: HeaderMap::new() }
    }

    /// How long the receiver wants to be left alone (RFC 9110 section 10.2.3): seconds, or a date.
    pub(in crate::sink) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let asked = match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let date = DateTimeParser::new().parse_timestamp(text).ok()?;
                Duration::try_from(date.duration_since(now)).unwrap_or_default()
            }
        };
        Some(asked.min(RETRY_AFTER_MAX))
    }
}

/// What a receiver says, as what follows "it is away: ".
pub(in crate::sink) fn reason(answer: &Answer) -> String {
    let status = answer.status;
    let mut text = format!("it answers {status}");
    if status.is_redirection() {
        let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.map(|to| format!(" ({})", told(to))).unwrap_or_default();
        text.push_str(&format!(": it points elsewhere{to}, where nothing is sent unless you name that"));
        return text;
    }
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A page for people says nothing in its first line.
    if kind.starts_with("text/plain") || kind.contains("json") {
        let said = String::from_utf8_lossy(&answer.body);
        let said = told(said.trim());
        if !said.is_empty() {
            text.push_str(": ");
            text.push_str(&said);
        }
    }
    text
}

pub(in crate::sink) fn told(text: &str) -> String {
    let cut: String = text.chars().take(SAID_MAX).collect();
    visible(&cut).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(status: u16, headers: &[(http::header::HeaderName, &str)], body: &str) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let mut answer = Answer::new(StatusCode::from_u16(status).unwrap(), headers.collect());
        answer.body = body.as_bytes().to_vec();
        answer
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_bounded() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Sun, 22 Nov 2026 12:00:30 GMT", Some(30)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("999999999", Some(300)),
            ("Sun, 22 Nov 2099 11:00:00 GMT", None),
            ("soon", None),
            ("-5", None),
        ] {
            let after = answer(503, &[(RETRY_AFTER, text)], "").retry_after(now);
            if text.contains("2099") {
                // The day of the week is another one then; whether that is refused is the parser's matter.
                assert!(after.is_none_or(|after| after == RETRY_AFTER_MAX), "{after:?}");
                continue;
            }
            assert_eq!(after, seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(answer(503, &[], "").retry_after(now), None);
    }

    #[test]
    fn what_a_receiver_says_is_told_safely() {
        let said = |status, headers: &[_], body: &str| reason(&answer(status, headers, body));
        assert_eq!(said(503, &[], "x"), "it answers 503 Service Unavailable");
        assert_eq!(
            said(400, &[(CONTENT_TYPE, "text/plain; charset=utf-8")], "no\u{1b}[2Jt this\n"),
            "it answers 400 Bad Request: no\\x1b[2Jt this"
        );
        assert_eq!(
            said(500, &[(CONTENT_TYPE, "text/html")], "<html>"),
            "it answers 500 Internal Server Error"
        );
        assert!(said(400, &[(CONTENT_TYPE, "application/json")], &"x".repeat(9999)).len() < 250);
        assert!(said(301, &[(LOCATION, "https://b/")], "").contains("points elsewhere (https://b/)"));
    }
}
