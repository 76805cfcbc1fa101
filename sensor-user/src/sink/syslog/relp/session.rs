//! A session without its connection: what is to be written, and what answers mean.

use bytes::{Buf as _, BytesMut};

use super::answer::{Answer, RelpError, Status, parse};

/// Messages on their way at most: 10,000 a second where a round trip takes 50 ms.
const WINDOW_MAX: usize = 512;

/// Bytes that wait to be written before more messages are taken: enough for full packets.
const OUTPUT_MAX: usize = 64 << 10;

/// Numbers of commands go from 1 to this, then begin again; 0 is for what needs no answer.
const NUMBER_MAX: u32 = 999_999_999;

/// The protocol version of librelp.
const VERSION: &str = "0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    Closing,
    Closed,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    phase: Phase,
    /// Of the next command.
    next: u32,
    /// The command that is answered next.
    oldest: u32,
    /// Messages without an answer.
    unanswered: usize,
    confirmed: usize,
    /// What was heard and is no whole frame yet; [`parse`] bounds it.
    input: Vec<u8>,
    pub(super) output: BytesMut,
}

impl Session {
    /// With the command that opens it.
    pub(super) fn open() -> Self {
        let mut session = Self {
            phase: Phase::Opening,
            next: 1,
            oldest: 1,
            unanswered: 0,
            confirmed: 0,
            input: Vec::new(),
            output: BytesMut::new(),
        };
        let offers = format!(
            "relp_version={VERSION}\nrelp_software=tidewaiter,{}\ncommands=syslog",
            env!("CARGO_PKG_VERSION")
        );
        session.command("open", offers.as_bytes());
        session
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// One more message may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.is_open() && self.unanswered < WINDOW_MAX && self.output.len() < OUTPUT_MAX
    }

    /// Messages without an answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// How many of the oldest messages were acknowledged since the last call.
    pub(super) fn take_confirmed(&mut self) -> usize {
        std::mem::take(&mut self.confirmed)
    }

    /// The next message.
    pub(super) fn send(&mut self, message: &[u8]) {
        self.command("syslog", message);
        self.unanswered += 1;
    }

    /// The last command: every message has been answered.
    pub(super) fn close(&mut self) {
        self.command("close", b"");
        self.phase = Phase::Closing;
    }

    /// So much of the output has been written.
    pub(super) fn written(&mut self, count: usize) {
        self.output.advance(count.min(self.output.len()));
    }

    /// Takes in what the receiver says.
    ///
    /// # Errors
    /// It ends the session, refuses, or says what it must not. What it acknowledged before stands.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<(), RelpError> {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while let Some((answer, after)) = parse(rest)? {
            self.answered(&answer)?;
            rest = after;
        }
        self.input = rest.to_vec();
        Ok(())
    }

    fn answered(&mut self, answer: &Answer<'_>) -> Result<(), RelpError> {
        match (answer.number, answer.command) {
            (0, b"serverclose") => return Err(RelpError::Closed),
            // Hints that are not known are no matter.
            (0, _) => return Ok(()),
            (_, b"rsp") => {}
            (_, other) => return Err(RelpError::unexpected(other)),
        }
        if answer.number != self.oldest || self.oldest == self.next {
            return Err(RelpError::OutOfOrder { number: answer.number });
        }
        self.oldest = after(self.oldest);
        match self.phase {
            Phase::Opening => {
                let status = Status::read(answer.data)?;
                if status.code != OK {
                    return Err(RelpError::SessionRefused(status.told()));
                }
                if !status.offers("commands", "syslog") {
                    return Err(RelpError::NoSyslog);
                }
                self.phase = Phase::Open;
            }
            Phase::Open => {
                let status = Status::read(answer.data)?;
                if status.code != OK {
                    return Err(RelpError::MessageRefused(status.told()));
                }
                self.unanswered = self.unanswered.saturating_sub(1);
                self.confirmed += 1;
            }
            Phase::Closing | Phase::Closed => self.phase = Phase::Closed,
        }
        Ok(())
    }

    /// `TXNR COMMAND DATALEN[ DATA]` and a newline.
    fn command(&mut self, command: &str, data: &[u8]) {
        let head = format!("{} {command} {}", self.next, data.len());
        self.output.extend_from_slice(head.as_bytes());
        if !data.is_empty() {
            self.output.extend_from_slice(b" ");
            self.output.extend_from_slice(data);
        }
        self.output.extend_from_slice(b"\n");
        self.next = after(self.next);
    }
}

/// The answer to what has been done.
const OK: u16 = 200;

fn after(number: u32) -> u32 {
    if number >= NUMBER_MAX { 1 } else { number + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsp(number: u32, data: &str) -> String {
        format!("{number} rsp {} {data}\n", data.len())
    }

    fn opened() -> Session {
        let mut session = Session::open();
        session.output.clear();
        let offers = "200 OK\nrelp_version=0\ncommands=eventlog,syslog,nothing";
        session.hear(rsp(1, offers).as_bytes()).unwrap();
        assert!(session.is_open() && session.has_room());
        session
    }

    fn output(session: &mut Session) -> String {
        let text = String::from_utf8(session.output.to_vec()).unwrap();
        session.written(text.len());
        text
    }

    #[test]
    fn begins_with_its_offers() {
        let mut session = Session::open();
        let text = output(&mut session);
        let (head, offers) = text.split_once("relp_version=0\n").unwrap();
        assert_eq!(head, format!("1 open {} ", text.len() - head.len() - 1));
        assert!(offers.starts_with("relp_software=tidewaiter,") && offers.ends_with("\ncommands=syslog\n"));
        assert!(!session.is_open() && !session.has_room());
    }

    #[test]
    fn confirms_in_order() {
        let mut session = opened();
        for message in ["<1>a", "<1>b\nc", "<1>d"] {
            session.send(message.as_bytes());
        }
        assert_eq!(output(&mut session), "2 syslog 4 <1>a\n3 syslog 6 <1>b\nc\n4 syslog 4 <1>d\n");
        assert_eq!((session.unanswered(), session.take_confirmed()), (3, 0));
        session.hear(b"2 rsp 6 200 OK\n3 rsp 3 200\n4 r").unwrap();
        assert_eq!((session.unanswered(), session.take_confirmed()), (1, 2));
        session.hear(b"sp 6 200 ").unwrap();
        session.hear(b"OK\n").unwrap();
        assert_eq!((session.unanswered(), session.take_confirmed()), (0, 1));
        session.close();
        assert_eq!(output(&mut session), "5 close 0\n");
        session.hear(b"5 rsp 0\n0 serverclose 0\n").unwrap_err();
    }

    #[test]
    fn closes() {
        let mut session = opened();
        session.close();
        session.hear(b"2 rsp 6 200 OK\n").unwrap();
        assert!(session.is_closed());
    }

    #[test]
    fn what_was_acknowledged_before_a_mistake_stands() {
        for (rest, reason) in [
            ("0 serverclose 0\n".to_owned(), RelpError::Closed),
            (rsp(3, "500 disk\x1bfull"), RelpError::MessageRefused("disk\\x1bfull".to_owned())),
            (rsp(4, "200 OK"), RelpError::OutOfOrder { number: 4 }),
            (rsp(2, "200 OK"), RelpError::OutOfOrder { number: 2 }),
            ("9 syslog 4 <1>x\n".to_owned(), RelpError::unexpected(b"syslog")),
        ] {
            let mut session = opened();
            session.send(b"<1>a");
            session.send(b"<1>b");
            let error = session.hear((rsp(2, "200 OK") + &rest).as_bytes()).unwrap_err();
            assert_eq!(error, reason);
            assert_eq!(session.take_confirmed(), 1);
        }
    }

    #[test]
    fn an_answer_to_nothing_is_a_mistake() {
        let mut session = opened();
        assert_eq!(session.hear(b"2 rsp 6 200 OK\n"), Err(RelpError::OutOfOrder { number: 2 }));
    }

    #[test]
    fn hints_that_are_not_known_are_no_matter() {
        let mut session = opened();
        session.hear(b"0 greetings 5 hello\n0 abort 0\n").unwrap();
        assert!(session.is_open());
    }

    /// Whatever it says, in whatever pieces.
    #[test]
    fn any_answers_are_survived() {
        proptest::proptest!(proptest::prelude::ProptestConfig::with_cases(5_000), |(
            pieces in proptest::collection::vec("(0|1|2|3|999999999) (rsp|serverclose|x) (0|6 200 OK|7 500 no!)\n|\\PC{0,9}", 0..9)
        )| {
            let mut session = opened();
            session.send(b"<1>a");
            session.send(b"<1>b");
            for piece in pieces {
                if session.hear(piece.as_bytes()).is_err() {
                    break;
                }
            }
            assert!(session.take_confirmed() + session.unanswered() == 2);
        });
    }

    #[test]
    fn fuzzed_answers_are_survived() {
        let seeds =
            ["1 rsp 6 200 OK\n2 rsp 6 200 OK\n", "0 serverclose 0\n", "1 rsp 7 500 no!\n999999999 rsp 0\n"];
        let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
        crate::fuzz::run(&seeds, |bytes, dice| {
            let mut session = opened();
            let sent = dice.roll(4);
            (0..sent).for_each(|_| session.send(b"message"));
            let half = dice.roll(bytes.len() + 1);
            let heard = session.hear(&bytes[..half]).and_then(|()| session.hear(&bytes[half..]));
            drop(heard);
            assert!(session.take_confirmed() <= sent);
        });
    }

    #[test]
    fn a_session_needs_syslog() {
        for (answer, reason) in [
            ("500 busy", RelpError::SessionRefused("busy".to_owned())),
            ("200 OK", RelpError::NoSyslog),
            ("200 OK\ncommands=eventlog,syslogx", RelpError::NoSyslog),
            ("fine", RelpError::NotRelp("fine".to_owned())),
        ] {
            assert_eq!(Session::open().hear(rsp(1, answer).as_bytes()), Err(reason), "{answer}");
        }
    }

    #[test]
    fn the_window_is_bounded() {
        let mut session = opened();
        while session.has_room() {
            session.send(b"<1>");
            session.output.clear();
        }
        assert_eq!(session.unanswered(), WINDOW_MAX);
        let mut session = opened();
        while session.has_room() {
            session.send(&[b'x'; 8000]);
        }
        assert_eq!(session.unanswered(), OUTPUT_MAX / 8000 + 1);
    }

    #[test]
    fn numbers_begin_again() {
        let mut session = opened();
        (session.next, session.oldest) = (NUMBER_MAX, NUMBER_MAX);
        session.send(b"<1>a");
        session.send(b"<1>b");
        assert_eq!(output(&mut session), "999999999 syslog 4 <1>a\n1 syslog 4 <1>b\n");
        session.hear(b"999999999 rsp 6 200 OK\n1 rsp 6 200 OK\n").unwrap();
        assert_eq!(session.take_confirmed(), 2);
    }
}
