//! `tidewaiter.story`: what all alerts of one story share, as far as it has gone.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::correlation::{CorrelationReport, report_of};
use crate::alert::{Alert, Evidence, Participant, StageReached};
use crate::octet;

/// `tidewaiter.story`.
#[derive(Clone, Debug, Serialize)]
pub struct StoryReport<'a> {
    /// That of its first alert.
    pub id: Uuid,
    /// Which alert of it this is, from 1.
    pub alerts: u32,
    /// What its stages amount to together; absent where that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageReport>,
    /// Why each rule says so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceReport<'a>>,
    /// Parents first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ParticipantReport<'a>>,
    #[serde(skip_serializing_if = "super::is_zero")]
    pub processes_omitted: u32,
}

/// A stage, and when it was reached.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    pub stage: &'static str,
    /// Since `@timestamp`.
    pub offset_ns: u64,
}

/// A rule, and the event it matched first.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceReport<'a> {
    pub rule: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub level: &'static str,
    pub offset_ns: u64,
    pub pid: u32,
    /// How often it matched.
    pub count: u64,
    /// What was counted, and the threshold; of the alert's own rule it stands in `tidewaiter.correlation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationReport<'a>>,
}

/// A process that took part.
#[derive(Clone, Debug, Serialize)]
pub struct ParticipantReport<'a> {
    pub pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    pub program: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_empty")]
    pub command_line: Cow<'a, str>,
}

pub(super) fn report(alert: &Alert) -> StoryReport<'_> {
    let story = &alert.story;
    let stage =
        |reached: &StageReached| StageReport { stage: reached.stage.name(), offset_ns: reached.offset };
    let evidence = story.evidence.iter().map(|proof| {
        let Evidence { rule, title, level, offset, pid, count, correlation } = proof;
        let found = correlation.as_deref().filter(|_| *rule != alert.detection.id);
        EvidenceReport {
            rule: octet::foreign(rule),
            name: octet::foreign(title),
            level: level.name(),
            offset_ns: *offset,
            pid: *pid,
            count: *count,
            correlation: found.map(|found| report_of(found, alert.time, *offset)),
        }
    });
    let processes = story.participants.iter().map(|participant| {
        let Participant { pid, parent, program, arguments } = participant;
        ParticipantReport {
            pid: *pid,
            parent: *parent,
            program: Cow::Borrowed(program),
            command_line: Cow::Borrowed(arguments.line()),
        }
    });
    StoryReport {
        id: story.id,
        alerts: story.alerts,
        level: story.level.map(sigma::Level::name),
        stages: story.stages.iter().map(stage).collect(),
        evidence: evidence.collect(),
        processes: processes.collect(),
        processes_omitted: story.participants_omitted,
    }
}

impl StoryReport<'_> {
    /// At most so many rules and processes, with texts as `cut` leaves them.
    pub(super) fn cut(&mut self, count: usize, cut: &mut impl FnMut(&mut Cow<'_, str>)) {
        self.evidence.truncate(count);
        for proof in &mut self.evidence {
            cut(&mut proof.rule);
            cut(&mut proof.name);
            proof.correlation = None;
        }
        let beyond = self.processes.len().saturating_sub(count);
        self.processes_omitted =
            self.processes_omitted.saturating_add(u32::try_from(beyond).unwrap_or(u32::MAX));
        self.processes.truncate(count);
        for process in &mut self.processes {
            cut(&mut process.program);
            cut(&mut process.command_line);
        }
    }
}

fn is_empty(text: &str) -> bool {
    text.is_empty()
}
