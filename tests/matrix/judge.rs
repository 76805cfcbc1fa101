//! A deed held against the events: was it told, and rightly?

use std::fmt;

use serde_json::Value;
use tests::agent::Line;

use crate::account::Coverage;
use crate::deed::{Deed, Done};
use crate::{file, network, process};

/// What the events say of a deed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is told; what of it, in a few words.
    Seen(String),
    /// It is told, but not how many bytes.
    NoBytes(String),
    /// The same, and the event says why: the content is mapped.
    Mapped(String),
    /// All of it is told of one process where several did it; of which.
    Together(String),
    /// It is told as something else; how.
    Wrong(String),
    Absent,
}

/// How a cell ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Seen(String),
    NoBytes(String),
    /// This row of the coverage notice said so.
    Accounted(String),
    /// This kernel has no such way.
    NotHere(String),
    Silent,
    Wrong(String),
    /// The deed itself failed.
    Failed(String),
}

/// One way, and what came of it.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) deed: Deed,
    pub(crate) outcome: Outcome,
}

impl Outcome {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Silent | Self::Wrong(_) | Self::Failed(_))
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Seen(_) => "seen",
            Self::NoBytes(_) => "seen, no bytes",
            Self::Accounted(_) => "accounted",
            Self::NotHere(_) => "not here",
            Self::Silent => "SILENT",
            Self::Wrong(_) => "WRONG",
            Self::Failed(_) => "FAILED",
        }
    }

    /// With what, why or where.
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::Seen(detail)
            | Self::NoBytes(detail)
            | Self::Accounted(detail)
            | Self::NotHere(detail)
            | Self::Wrong(detail)
            | Self::Failed(detail) => detail,
            Self::Silent => "no event tells it, and the coverage notice promised one",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deed, outcome } = self;
        write!(f, "{:<9} {:<20} {:<15} {}", deed.action, deed.way, outcome.word(), outcome.detail())
    }
}

/// Judges one deed.
pub(crate) fn cell(deed: &Deed, done: &Done, lines: &[Line], coverage: &Coverage, agent: u32) -> Cell {
    let outcome = match done {
        Done::Missing(reason) => Outcome::NotHere(reason.clone()),
        Done::Failed(reason) => Outcome::Failed(reason.clone()),
        Done::Told(truth) => match find(deed, truth, lines, agent) {
            Finding::Seen(what) => Outcome::Seen(what),
            Finding::NoBytes(what) => match coverage.account_of_bytes(deed) {
                Some(row) => Outcome::NoBytes(format!("{what}; {row}")),
                None => Outcome::Wrong(format!("no bytes: {what}")),
            },
            Finding::Together(whose) => match coverage.account_of_bytes(deed) {
                Some(row) => Outcome::Accounted(row.to_owned()),
                None => Outcome::Wrong(format!("all bytes are told of {whose}")),
            },
            Finding::Mapped(what) => Outcome::NoBytes(format!("{what}; told as mapped")),
            Finding::Wrong(how) => Outcome::Wrong(how),
            Finding::Absent => match coverage.account_of(deed) {
                Some(row) => Outcome::Accounted(row.to_owned()),
                None => Outcome::Silent,
            },
        },
    };
    Cell { deed: deed.clone(), outcome }
}

fn find(deed: &Deed, truth: &Value, lines: &[Line], agent: u32) -> Finding {
    let truth = Truth(truth);
    match deed.action.as_str() {
        "exec" => process::exec(&truth, lines),
        "identity" => process::identity(&deed.way, &truth, lines),
        "connect" => network::connect(&deed.way, &truth, lines),
        "datagram" => network::datagram(&truth, lines),
        "accept" => network::accept(&truth, lines),
        "transfer" => network::transfer(&truth, lines),
        "socket" => network::socket(&deed.way, &truth, lines),
        "write" => file::write(&deed.way, &truth, lines),
        "name" => file::name(&deed.way, &truth, lines),
        "read" => file::read(&truth, lines),
        "system" => process::system(&deed.way, &truth, lines, agent),
        other => Finding::Wrong(format!("the matrix does not know what an event of {other} looks like")),
    }
}

/// What a deed told.
pub(crate) struct Truth<'t>(pub(crate) &'t Value);

impl<'t> Truth<'t> {
    pub(crate) fn text(&self, name: &str) -> &'t str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn list(&self, name: &str) -> Option<impl Iterator<Item = Truth<'t>>> {
        Some(self.0.get(name)?.as_array()?.iter().map(Truth))
    }

    /// Events of the process that did it.
    pub(crate) fn own<'l>(&self, lines: &'l [Line]) -> impl Iterator<Item = &'l Line> {
        let pid = self.number("pid");
        lines.iter().filter(move |line| pid.is_some() && number(line, "process.pid") == pid)
    }
}

/// A number of an event.
pub(crate) fn number(line: &Line, name: &str) -> Option<u64> {
    line.field(name)?.as_u64()
}

pub(crate) fn is_of(line: &Line, category: &str) -> bool {
    line.text("tidewaiter.category") == category
}

pub(crate) fn action(line: &Line) -> &str {
    line.text("event.action")
}
