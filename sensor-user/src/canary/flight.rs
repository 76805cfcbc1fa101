//! One canary: what is known of its way.

use std::fmt;

/// Where a canary stayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its process could not be started.
    Start,
    /// The kernel half did not tell of it.
    Kernel,
    /// No alert was made of it.
    Match,
    /// A receiver did not confirm its alert.
    Delivery,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Start, Self::Kernel, Self::Match, Self::Delivery];

    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Kernel => "kernel",
            Self::Match => "match",
            Self::Delivery => "delivery",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "its process could not be started",
            Self::Kernel => "the kernel half did not tell of its process",
            Self::Match => "no alert was made of its process",
            Self::Delivery => "its alert was not confirmed",
        })
    }
}

/// What became known at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Still on its way, or told before.
    Nothing,
    /// It came through to all, in time or later.
    Passed,
    Failed(Stage),
}

/// A canary on its way. Times are `CLOCK_BOOTTIME` nanoseconds.
#[derive(Clone, Debug)]
pub struct Flight {
    /// What tells it from all others.
    pub nonce: String,
    began: u64,
    is_seen: bool,
    /// The number of its alert.
    sequence: Option<u64>,
    /// Receivers that confirmed it, and how long after its start, nanoseconds.
    arrivals: Vec<(String, Option<u64>)>,
    /// It was told as failed.
    has_failed: bool,
    is_over: bool,
}

impl Flight {
    #[must_use]
    pub fn begin(nonce: String, now: u64) -> Self {
        let arrivals = Vec::new();
        Self {
            nonce,
            began: now,
            is_seen: false,
            sequence: None,
            arrivals,
            has_failed: false,
            is_over: false,
        }
    }

    /// A program started; is it this one?
    pub fn see(&mut self, arguments: &[String]) {
        self.is_seen |= arguments.contains(&self.nonce);
    }

    /// An alert is made of this command line; is it this one's, and its first?
    #[must_use]
    pub fn is_alert(&self, command_line: &str) -> bool {
        self.sequence.is_none() && !self.is_over && command_line.contains(&self.nonce)
    }

    /// Its alert has this number.
    pub fn told(&mut self, sequence: u64) {
        self.sequence = Some(sequence);
    }

    /// Nothing more is to come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Its process could not be started.
    pub fn end(&mut self) -> Step {
        (self.is_over, self.has_failed) = (true, true);
        Step::Failed(Stage::Start)
    }

    /// Receivers that confirmed it, with the time it took, nanoseconds.
    #[must_use]
    pub fn arrivals(&self) -> &[(String, Option<u64>)] {
        &self.arrivals
    }

    /// Looks at how far it is. `receivers`: all that confirm, and whether each has confirmed its alert; `within`: how
    /// long it may take, nanoseconds.
    pub fn look(&mut self, now: u64, within: u64, receivers: &[(&str, bool)]) -> Step {
        if self.is_over {
            return Step::Nothing;
        }
        let took = now.saturating_sub(self.began);
        if self.sequence.is_some() {
            if self.arrivals.is_empty() {
                self.arrivals = receivers.iter().map(|(name, _)| ((*name).to_owned(), None)).collect();
            }
            for ((_, arrival), (_, has_it)) in self.arrivals.iter_mut().zip(receivers) {
                if *has_it {
                    arrival.get_or_insert(took);
                }
            }
            if self.arrivals.iter().all(|(_, arrival)| arrival.is_some()) {
                self.is_over = true;
                return Step::Passed;
            }
        }
        if took < within || self.has_failed {
            return Step::Nothing;
        }
        self.has_failed = true;
        Step::Failed(match (self.is_seen, self.sequence) {
            (_, Some(_)) => Stage::Delivery,
            (true, None) => Stage::Match,
            (false, None) => Stage::Kernel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: u64 = 60;
    const NONE: [(&str, bool); 2] = [("file", false), ("syslog", false)];

    fn flight() -> Flight {
        Flight::begin("a-number".to_owned(), 100)
    }

    #[test]
    fn it_passes_when_every_receiver_has_it() {
        let mut flight = flight();
        flight.see(&["sh".to_owned(), "-c".to_owned()]);
        flight.see(&["tidewaiter".to_owned(), "canary".to_owned(), "a-number".to_owned()]);
        assert!(
            !flight.is_alert("tidewaiter canary another") && flight.is_alert("tidewaiter canary a-number")
        );
        assert_eq!(
            flight.look(110, WITHIN, &[("file", true), ("syslog", true)]),
            Step::Nothing,
            "of another"
        );
        flight.told(7);
        assert!(!flight.is_alert("tidewaiter canary a-number"), "an amendment is not asked for");
        assert_eq!(flight.look(120, WITHIN, &[("file", true), ("syslog", false)]), Step::Nothing);
        assert_eq!(flight.look(130, WITHIN, &[("file", true), ("syslog", true)]), Step::Passed);
        let took: Vec<_> = flight.arrivals().iter().map(|(_, took)| *took).collect();
        assert_eq!(took, [Some(20), Some(30)]);
        assert_eq!(flight.look(140, WITHIN, &NONE), Step::Nothing);
    }

    #[test]
    fn without_a_receiver_that_confirms_an_alert_is_all_there_is() {
        let mut flight = flight();
        flight.told(7);
        assert_eq!(flight.look(120, WITHIN, &[]), Step::Passed);
    }

    #[test]
    fn it_fails_once_where_it_stayed() {
        let fail = |prepare: fn(&mut Flight)| {
            let mut flight = flight();
            prepare(&mut flight);
            assert_eq!(flight.look(159, WITHIN, &NONE), Step::Nothing);
            let step = flight.look(160, WITHIN, &NONE);
            assert_eq!(flight.look(161, WITHIN, &NONE), Step::Nothing, "told once");
            step
        };
        assert_eq!(fail(|_| ()), Step::Failed(Stage::Kernel));
        assert_eq!(fail(|flight| flight.see(&["a-number".to_owned()])), Step::Failed(Stage::Match));
        assert_eq!(fail(|flight| flight.told(7)), Step::Failed(Stage::Delivery));
        assert_eq!(flight().end(), Step::Failed(Stage::Start));
    }

    #[test]
    fn one_that_comes_late_still_comes() {
        let mut flight = flight();
        flight.told(7);
        assert_eq!(flight.look(200, WITHIN, &NONE), Step::Failed(Stage::Delivery));
        assert_eq!(flight.look(900, WITHIN, &[("file", true), ("syslog", true)]), Step::Passed);
    }
}
