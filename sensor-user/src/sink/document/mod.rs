//! The document a program gets for a message: one JSON object in the terms of the Elastic Common
//! Schema (ECS 8.11, <https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html>), nested.
//!
//! `kind` at the top tells what it is before anything else is read. What ECS has no field for
//! stands under `tidewaiter`, whose layout counts up in `tidewaiter.schema` when a field changes its
//! meaning or goes away; new fields may come at any time. Fields that are not known are left out,
//! never empty. Key order is fixed, most important first.
//!
//! Text from watched processes is carried as it is; only [`json`](super::json) escapes.

mod alert;
mod correlation;
mod story;
mod dotted;
mod event;
mod fit;
mod identity;
mod notice;
mod part;
mod picture;
mod report;
mod rule;
mod transfer;
mod cloud;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use alert::entity_id;
pub(super) use alert::program;
pub use cloud::CloudReport;
pub use correlation::{Amount, CorrelationReport, RuleReport};
pub use event::EventDocument;
pub use fit::{cut as cut_text, fit};
pub use identity::{
    Executable, Identity, LoginUser, OwnContainer, OwnImage, OwnProcess, StreamReport, Writer,
};
pub use part::{
    Boot, Container, Destination, EffectiveUser, Event, File, Hash, Host, HostSystem, Image, Lineage,
    Network, Orchestrator, Parent, ParentResource, PlaceReport, PodReport, Process, Related, Resource, Rule,
    Source, StepAction, StepReport, Tactic, Technique, Threat, User,
};
pub use picture::PictureDocument;
pub use report::{
    AggregateReport, BacklogReport, CanaryDocument, ContainerReport, CoverageReport, DeedReport, GapReport,
    HeartbeatReport, Hook, HooksReport, LedgerReport, LossReport, LossSumReport, Refusal, StoppedReport,
    SuspectReport,
};
pub use rule::{CostReport, MistakeReport, NameReport, NamedRule, ReloadReport};
pub use story::{EvidenceReport, ParticipantReport, StageReport, StoryReport};
pub use transfer::TransferReport;

use super::Origin;
use crate::alert::{Message, Subject};

/// Layout of everything under `tidewaiter`.
pub const SCHEMA: u32 = 3;

/// Version of ECS whose field meanings are followed.
const ECS_VERSION: &str = "8.11.0";

/// One message as a document.
#[derive(Clone, Debug, Serialize)]
pub struct Document<'a> {
    /// RFC 3339, UTC, microseconds.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    pub kind: Kind,
    /// The whole thing in one sentence.
    pub message: Cow<'a, str>,
    pub event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threat: Option<Threat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<Orchestrator<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<File<'a>>,
    pub host: Host<'a>,
    pub agent: Agent,
    pub ecs: Ecs,
    pub tidewaiter: Tidewaiter<'a>,
}

/// What a document is; MSGID in syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Alert,
    /// The end of a story that was told before: the alert of the same `event.id`, whole.
    Amendment,
    Coverage,
    Loss,
    Tampering,
    Aggregation,
    Reload,
    Cost,
    Canary,
    Heartbeat,
    Stopped,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Alert,
        Self::Amendment,
        Self::Coverage,
        Self::Loss,
        Self::Tampering,
        Self::Aggregation,
        Self::Reload,
        Self::Cost,
        Self::Heartbeat,
        Self::Canary,
        Self::Stopped,
    ];

    /// As in the document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Amendment => "amendment",
            Self::Coverage => "coverage",
            Self::Loss => "loss",
            Self::Tampering => "tampering",
            Self::Aggregation => "aggregation",
            Self::Reload => "reload",
            Self::Cost => "cost",
            Self::Canary => "canary",
            Self::Heartbeat => "heartbeat",
            Self::Stopped => "stopped",
        }
    }

    /// What a message is.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        match message {
            Message::Alert(alert) if alert.is_amendment => Self::Amendment,
            Message::Alert(_) => Self::Alert,
            Message::Notice(notice) => match notice.subject {
                Subject::Coverage(_) => Self::Coverage,
                Subject::Loss(_) => Self::Loss,
                Subject::Tampering(_) => Self::Tampering,
                Subject::Aggregation(_) => Self::Aggregation,
                Subject::Reload(_) => Self::Reload,
                Subject::Cost(_) => Self::Cost,
                Subject::Canary(_) => Self::Canary,
                Subject::Heartbeat(_) => Self::Heartbeat,
                Subject::Stopped(_) => Self::Stopped,
            },
        }
    }
}

/// `agent`.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    pub r#type: &'static str,
    pub version: &'static str,
    /// Whose messages `event.sequence` counts.
    pub id: Uuid,
    /// Which run of it.
    pub ephemeral_id: Uuid,
}

/// `ecs`.
#[derive(Clone, Debug, Serialize)]
pub struct Ecs {
    pub version: &'static str,
}

/// What ECS has no field for.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tidewaiter<'a> {
    pub schema: u32,
    /// The document was cut to fit a frame: lists may be shorter, texts may end in `…`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The detection's folder under `rules/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Cow<'a, str>>,
    /// What the matches have in common, where several together are the alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationReport<'a>>,
    /// The story that this alert is the newest telling of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<StoryReport<'a>>,
    /// All names of the executable, the resolved one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Cow<'a, str>>,
    /// Where the program comes from; absent where nothing is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<Executable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<OwnProcess<'a>>,
    /// Where the process's input came from when its program started; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<StreamReport>,
    /// Where its output went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<StreamReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<StreamReport>,
    /// What its command line asks to be moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferReport<'a>>,
    /// What it asks of a cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudReport<'a>>,
    /// The kernel half cut the arguments.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub arguments_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<OwnContainer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity<'a>>,
    /// Files in the order in which they were touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Cow<'a, str>>,
    /// What happened, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepReport<'a>>,
    /// Steps that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub steps_omitted: u32,
    /// Ancestors, the parent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Lineage<'a>>,
    /// Other detections that matched in the same process tree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related<'a>>,
    /// Fields that were not known in time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<&'static str>,
    /// Secrets that were taken out of its texts.
    #[serde(skip_serializing_if = "is_zero")]
    pub redacted: u32,
    /// What to do now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub false_positives: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageReport<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossReport<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tampering: Vec<DeedReport<'a>>,
    /// Records that were counted instead of told, by what they have in common.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<AggregateReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<HeartbeatReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedReport>,
    /// What became of every record, by kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ledger: Vec<LedgerReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<ReloadReport<'a>>,
    /// Rules over their budget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostReport<'a>>,
}

impl<'a> Document<'a> {
    /// The whole document, nothing cut.
    #[must_use]
    pub fn new(message: &'a Message, origin: &'a Origin) -> Self {
        match message {
            Message::Alert(alert) => alert::document(alert, origin),
            Message::Notice(notice) => notice::document(notice, origin),
        }
    }

    /// A document with what every kind has.
    fn bare(time: Timestamp, kind: Kind, message: Cow<'a, str>, event: Event, origin: &'a Origin) -> Self {
        Self {
            timestamp: format!("{time:.6}"),
            kind,
            message,
            event,
            rule: None,
            threat: None,
            container: None,
            orchestrator: None,
            process: None,
            source: None,
            destination: None,
            network: None,
            file: None,
            host: Host {
                hostname: Cow::Borrowed(&origin.hostname),
                os: HostSystem { r#type: "linux", kernel: Cow::Borrowed(&origin.kernel) },
                boot: origin.boot_id.as_deref().map(|id| Boot { id: Cow::Borrowed(id) }),
            },
            agent: Agent {
                r#type: "tidewaiter",
                version: origin.version,
                id: origin.agent_id,
                ephemeral_id: origin.run_id,
            },
            ecs: Ecs { version: ECS_VERSION },
            tidewaiter: Tidewaiter { schema: SCHEMA, ..Tidewaiter::default() },
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
