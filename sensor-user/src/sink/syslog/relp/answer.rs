//! Frames of the receiver: `TXNR COMMAND DATALEN[ DATA]` and a newline. Whoever answers chose every byte of them, so all
//! is bounded and nothing is believed.

use std::io::{self, ErrorKind};

use crate::sink::text::escape::visible;

/// Digits of a number (NUMBER in the specification).
const DIGITS_MAX: usize = 9;

/// Letters of a command (COMMAND in the specification).
const COMMAND_MAX: usize = 32;

/// Longest data that is taken, bytes: a receiver says its offers, or why it refuses, in some hundred.
const DATA_MAX: usize = 16 << 10;

/// Characters of what a receiver says that are told.
const TOLD_MAX: usize = 80;

/// A frame of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// 0 for a hint, else of the command that it answers.
    pub(super) number: u32,
    pub(super) command: &'a [u8],
    pub(super) data: &'a [u8],
}

/// Why a session is over. Each sentence follows "it is away: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RelpError {
    #[error("it speaks no RELP (it says {0}): name its port for RELP, usually 20514")]
    NotRelp(String),
    #[error(
        "it answers with {size} bytes at once, more than the {DATA_MAX} that are taken: is it a RELP receiver?"
    )]
    TooLong { size: usize },
    #[error("it answers message {number} out of turn: is it a RELP receiver?")]
    OutOfOrder { number: u32 },
    #[error("it refuses a RELP session ({0}); its log may say why")]
    SessionRefused(String),
    #[error("it takes no syslog messages over RELP: turn that on there")]
    NoSyslog,
    #[error("it refuses a message ({0}); its log may say why")]
    MessageRefused(String),
    #[error("it closed the session")]
    Closed,
}

impl RelpError {
    /// A command that only clients give.
    pub(super) fn unexpected(command: &[u8]) -> Self {
        Self::NotRelp(told(command))
    }
}

impl From<RelpError> for io::Error {
    fn from(error: RelpError) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

/// The first frame and what comes after it; none: it is not whole yet.
///
/// # Errors
/// It is no frame, or too long a one.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Answer<'_>, &[u8])>, RelpError> {
    let not_relp = || RelpError::NotRelp(told(bytes));
    let Some((number, rest)) = word(bytes, DIGITS_MAX, u8::is_ascii_digit).ok_or_else(not_relp)? else {
        return Ok(None);
    };
    let rest = rest.strip_prefix(b" ").ok_or_else(not_relp)?;
    let Some((command, rest)) = word(rest, COMMAND_MAX, u8::is_ascii_alphabetic).ok_or_else(not_relp)? else {
        return Ok(None);
    };
    let rest = rest.strip_prefix(b" ").ok_or_else(not_relp)?;
    let Some((size, rest)) = word(rest, DIGITS_MAX, u8::is_ascii_digit).ok_or_else(not_relp)? else {
        return Ok(None);
    };
    let number = decimal(number).and_then(|number| u32::try_from(number).ok()).ok_or_else(not_relp)?;
    let size = decimal(size).ok_or_else(not_relp)?;
    if size > DATA_MAX {
        return Err(RelpError::TooLong { size });
    }
    let rest = match rest.strip_prefix(b" ") {
        Some(rest) => rest,
        None if size == 0 => rest,
        None => return Err(not_relp()),
    };
    let Some((data, rest)) = rest.split_at_checked(size) else { return Ok(None) };
    match rest.split_first() {
        Some((b'\n', rest)) => Ok(Some((Answer { number, command, data }, rest))),
        Some(_) => Err(not_relp()),
        None => Ok(None),
    }
}

/// The bytes of a kind that come first, and what follows: at least a byte. Inner none: that is not there yet; outer
/// none: there is none of the kind, or too many.
fn word(bytes: &[u8], longest: usize, is_of_kind: impl Fn(&u8) -> bool) -> Option<Option<(&[u8], &[u8])>> {
    let length = bytes.iter().take_while(|byte| is_of_kind(byte)).count();
    let (word, rest) = bytes.split_at_checked(length)?;
    match (length, rest.is_empty()) {
        (0, false) => None,
        _ if length > longest => None,
        (_, true) => Some(None),
        (_, false) => Some(Some((word, rest))),
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What an answer says: `STATUS HUMAN-TEXT`, then a line for each offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status<'a> {
    pub(super) code: u16,
    text: &'a [u8],
    offers: &'a [u8],
}

impl<'a> Status<'a> {
    /// # Errors
    /// It begins with no code.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, RelpError> {
        let (line, offers) = match data.iter().position(|byte| *byte == b'\n') {
            Some(end) => (data.get(..end).unwrap_or_default(), data.get(end + 1..).unwrap_or_default()),
            None => (data, &[][..]),
        };
        let (code, text) = match line.iter().position(|byte| *byte == b' ') {
            Some(end) => (line.get(..end).unwrap_or_default(), line.get(end + 1..).unwrap_or_default()),
            None => (line, &[][..]),
        };
        let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
        let code = decimal(code).filter(|_| is_code).and_then(|code| u16::try_from(code).ok());
        let code = code.ok_or_else(|| RelpError::NotRelp(told(data)))?;
        Ok(Self { code, text, offers })
    }

    /// Its text, safe to show.
    pub(super) fn told(&self) -> String {
        if self.text.is_empty() { format!("{} without a word", self.code) } else { told(self.text) }
    }

    /// Whether `NAME=VALUE,VALUE` is among the offers, with this value.
    pub(super) fn offers(&self, name: &str, value: &str) -> bool {
        let values = |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
        let mut lines = self.offers.split(|byte| *byte == b'\n').filter_map(values);
        lines.any(|values| values.split(|byte| *byte == b',').any(|one| one == value.as_bytes()))
    }
}

/// The beginning of what a receiver says, safe to show.
fn told(bytes: &[u8]) -> String {
    // A character takes four bytes at most.
    let start = bytes.get(..TOLD_MAX * 4).unwrap_or(bytes);
    let text: String = String::from_utf8_lossy(start).chars().take(TOLD_MAX).collect();
    visible(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer<'a>(number: u32, command: &'a str, data: &'a str) -> Answer<'a> {
        Answer { number, command: command.as_bytes(), data: data.as_bytes() }
    }

    #[test]
    fn reads_frames() {
        for (bytes, first, rest) in [
            ("1 rsp 6 200 OK\n", answer(1, "rsp", "200 OK"), ""),
            ("2 rsp 9 200 OK\na\n\n3 rsp", answer(2, "rsp", "200 OK\na\n"), "3 rsp"),
            ("0 serverclose 0\n", answer(0, "serverclose", ""), ""),
            ("0 serverclose 0 \n", answer(0, "serverclose", ""), ""),
            ("999999999 rsp 000000001 x\n", answer(999_999_999, "rsp", "x"), ""),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Ok(Some((first, rest.as_bytes()))), "{bytes:?}");
            for cut in 0..bytes.len() - rest.len() {
                assert_eq!(parse(&bytes.as_bytes()[..cut]), Ok(None), "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for bytes in [
            "\n",
            " 1 rsp 0\n",
            "x",
            "1  rsp 0\n",
            "1\n",
            "1 rsp\n",
            "1 rsp x",
            "1 rsp 1\n",
            "1 rsp 1 ab",
            "-1 rsp 0\n",
            "1 r3p 0\n",
            "1234567890",
            "1 rsp 1234567890",
            "1 abcdefghijklmnopqrstuvwxyzabcdefg",
            "HTTP/1.1 400 Bad Request\r\n",
            "220 loghost ready\r\n",
            "\u{15}\u{3}\u{3}",
        ] {
            let error = parse(bytes.as_bytes()).expect_err(bytes).to_string();
            let told = visible(bytes);
            assert_eq!(error, RelpError::NotRelp(told.clone().into_owned()).to_string());
            assert!(error.contains(&*told) && error.contains("20514"), "{error}");
        }
        assert_eq!(parse(b"1 rsp 16385"), Ok(None), "more digits may come");
        assert_eq!(parse(b"1 rsp 16385 "), Err(RelpError::TooLong { size: 16_385 }));
        assert_eq!(parse(b"1 rsp 999999999 "), Err(RelpError::TooLong { size: 999_999_999 }));
    }

    #[test]
    fn reads_what_an_answer_says() {
        let status = Status::read(b"200 OK\nrelp_version=0\ncommands=a,syslog").unwrap();
        assert_eq!((status.code, status.told().as_str()), (200, "OK"));
        assert!(status.offers("relp_version", "0") && status.offers("commands", "syslog"));
        assert!(!status.offers("commands", "sys") && !status.offers("command", "syslog"));
        assert_eq!(Status::read(b"500").unwrap().told(), "500 without a word");
        for data in ["", "20", "2000", "20x OK", "OK 200"] {
            assert!(Status::read(data.as_bytes()).is_err(), "{data}");
        }
        let long = [&b"500 "[..], "\u{202e}\u{1b}é".repeat(500).as_bytes()].concat();
        let told = Status::read(&long).unwrap().told();
        assert!(told.len() < TOLD_MAX * 8 && !told.contains(['\u{1b}', '\u{202e}']), "{told}");
    }

    /// Bytes that often are almost a frame.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[0-9]{0,11}".prop_map(String::into_bytes),
            "(rsp|serverclose|syslog|[a-zA-Z]{0,40})".prop_map(String::into_bytes),
            "[ \n]{0,2}".prop_map(String::into_bytes),
            "200 OK\n(relp_version=0)?(\ncommands=syslog)?".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..8),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// A frame, a refusal or "not yet": never a panic, never a longer wait than the bounds allow.
        #[test]
        fn any_bytes_are_survived(bytes in nearly()) {
            match parse(&bytes) {
                Ok(Some((answer, rest))) => {
                    prop_assert!(answer.data.len() <= DATA_MAX && rest.len() < bytes.len());
                    drop(Status::read(answer.data).map(|status| (status.told(), status.offers("a", "b"))));
                }
                Ok(None) => prop_assert!(bytes.len() <= DIGITS_MAX + COMMAND_MAX + DIGITS_MAX + 3 + DATA_MAX),
                Err(error) => prop_assert!(error.to_string().len() < 2_000),
            }
        }

        /// However the network cuts it up, the same is read.
        #[test]
        fn cuts_do_not_matter(data in prop::collection::vec(any::<u8>(), 0..64), number in 0_u32..1_000_000_000, more in nearly()) {
            let head = format!("{number} rsp {} ", data.len());
            let whole = [head.as_bytes(), &data, b"\n", &more].concat();
            let read = parse(&whole).unwrap();
            prop_assert_eq!(read, Some((Answer { number, command: b"rsp", data: &data }, more.as_slice())));
            for cut in 0..whole.len() - more.len() {
                prop_assert_eq!(parse(&whole[..cut]), Ok(None));
            }
        }
    }
}
