//! The story an alert is the newest telling of: which alerts belong together, who took part, what its steps amount
//! to, and why each rule says so.

use sigma::Level;
use uuid::Uuid;

use super::Correlation;
use crate::state::process::Arguments;

/// What all alerts of one story share, as far as it has gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    pub id: Uuid,
    /// Alerts of it so far, this one included: one for each technique.
    pub alerts: u32,
    /// In the order in which they were reached.
    pub stages: Vec<StageReached>,
    /// Level that these amount to together, where they do.
    pub level: Option<Level>,
    /// Every match that is told, in the order in which they were found.
    pub evidence: Vec<Evidence>,
    /// The processes of the steps and what leads to them, parents first.
    pub participants: Vec<Participant>,
    /// Processes left out beyond the bound.
    pub participants_omitted: u32,
}

/// A part of an attack, as a story has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A file came in over the network.
    BroughtIn,
    /// What came in, or what is in no file, was run.
    Ran,
    /// A secret was opened by a program whose own it is not.
    ReadSecret,
    /// Data was packed or gathered.
    Collected,
    /// What was brought in connected out, or a tunnel was opened.
    CalledHome,
    /// Data left.
    SentOut,
    /// Traces were removed.
    CoveredTracks,
    /// A container was left.
    Escaped,
    /// Something was destroyed or taken over.
    Destroyed,
}

impl Stage {
    /// As documents name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BroughtIn => "brought_in",
            Self::Ran => "ran",
            Self::ReadSecret => "read_secret",
            Self::Collected => "collected",
            Self::CalledHome => "called_home",
            Self::SentOut => "sent_out",
            Self::CoveredTracks => "covered_tracks",
            Self::Escaped => "escaped",
            Self::Destroyed => "destroyed",
        }
    }
}

/// A stage, and when the story reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageReached {
    pub stage: Stage,
    /// Nanoseconds since [`Alert::time`](super::Alert::time).
    pub offset: u64,
}

/// Why a rule says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// As [`Detection::id`](super::Detection::id).
    pub rule: String,
    pub title: String,
    pub level: Level,
    /// When the event happened that it matched, of a correlation the last: nanoseconds since
    /// [`Alert::time`](super::Alert::time).
    pub offset: u64,
    pub pid: u32,
    /// How often it matched so far.
    pub count: u64,
    /// What was counted, and the threshold.
    pub correlation: Option<Box<Correlation>>,
}

/// A process of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    pub pid: u32,
    /// None: nobody of the story.
    pub parent: Option<u32>,
    /// Last component of the executable's name.
    pub program: String,
    /// The beginning of its command line.
    pub arguments: Arguments,
}
