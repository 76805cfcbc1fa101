//! What came of it, as a table for people and as lines of JSON for programs. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

pub use super::trial::{Reason, Subject};
use super::{Loss, Report};
use crate::alert::Detection;

/// A detection and what came of it.
#[derive(Clone, Debug)]
pub struct Proof {
    pub detection: Detection,
    pub outcome: Outcome,
}

/// What came of one detection.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of the alert, if it came.
    pub times: Option<Times>,
    /// Why the technique is not proven to be told; none: it is.
    pub reason: Option<Reason>,
    pub benign: Benign,
}

/// How long the alert took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the start of the script until the alert was here.
    pub after_start: Duration,
    /// From the first event that the alert is about until it was here.
    pub after_event: Duration,
    /// From the start of the script until it stood in the receiver's log.
    pub at_receiver: Option<Duration>,
}

/// What came of the look-alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Benign {
    Silent,
    /// It alerted; the alerts' titles.
    Told(String),
    Lacks(String),
    Failed(String),
    /// It was not asked for.
    Unasked,
}

/// All in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Proven,
    Failed,
    /// Something that it needs is not on this machine.
    Impossible,
}

impl Outcome {
    /// A failure weighs more than what is missing.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let parts = [
            match &self.reason {
                None => Verdict::Proven,
                Some(Reason::Lacks(_)) => Verdict::Impossible,
                Some(Reason::Failed(_)) => Verdict::Failed,
            },
            match &self.benign {
                Benign::Silent | Benign::Unasked => Verdict::Proven,
                Benign::Lacks(_) => Verdict::Impossible,
                Benign::Told(_) | Benign::Failed(_) => Verdict::Failed,
            },
        ];
        let has = |verdict| parts.contains(&verdict);
        if has(Verdict::Failed) {
            Verdict::Failed
        } else if has(Verdict::Impossible) {
            Verdict::Impossible
        } else {
            Verdict::Proven
        }
    }

    /// What is missing.
    fn lacks(&self) -> Option<&str> {
        match (&self.reason, &self.benign) {
            (Some(Reason::Lacks(what)), _) | (_, Benign::Lacks(what)) => Some(what),
            (
                Some(Reason::Failed(_)) | None,
                Benign::Silent | Benign::Told(_) | Benign::Failed(_) | Benign::Unasked,
            ) => None,
        }
    }

    /// What went wrong, a sentence each.
    fn faults(&self) -> Vec<String> {
        let technique = match &self.reason {
            Some(Reason::Failed(reason)) => Some(reason.clone()),
            Some(Reason::Lacks(_)) | None => None,
        };
        let look_alike = match &self.benign {
            Benign::Told(titles) => Some(format!("benign.sh must be silent; {titles}")),
            Benign::Failed(reason) => Some(reason.clone()),
            Benign::Silent | Benign::Lacks(_) | Benign::Unasked => None,
        };
        technique.into_iter().chain(look_alike).collect()
    }
}

/// The table's header.
pub const HEADER: [&str; 7] =
    ["detection", "level", "technique", "alert", "since event", "received", "look-alike"];

impl Proof {
    /// A row under [`HEADER`]; times in milliseconds.
    #[must_use]
    pub fn row(&self) -> Vec<String> {
        let (detection, outcome) = (&self.detection, &self.outcome);
        let told =
            |time: Option<Duration>| time.map(|time| format!("{} ms", time.as_millis())).unwrap_or_default();
        let times = outcome.times;
        let alert = match (&outcome.reason, times) {
            (Some(Reason::Lacks(what)), _) => format!("lacks {what}"),
            (Some(Reason::Failed(_)), None) => "FAILED".to_owned(),
            (_, times) => told(times.map(|times| times.after_start)),
        };
        let benign = match &outcome.benign {
            Benign::Silent => "silent".to_owned(),
            Benign::Told(_) | Benign::Failed(_) => "FAILED".to_owned(),
            Benign::Lacks(what) => format!("lacks {what}"),
            Benign::Unasked => String::new(),
        };
        vec![
            detection.name.clone(),
            detection.level.to_string(),
            detection.techniques.join(" "),
            alert,
            told(times.map(|times| times.after_event)),
            told(times.and_then(|times| times.at_receiver)),
            benign,
        ]
    }

    /// One line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let times = self.outcome.times;
        let faults = self.outcome.faults();
        line(&Line {
            detection: &self.detection.name,
            title: &self.detection.title,
            level: self.detection.level.name(),
            techniques: &self.detection.techniques,
            verdict: self.outcome.verdict(),
            alert_ms: times.map(|times| milliseconds(times.after_start)),
            since_event_ms: times.map(|times| milliseconds(times.after_event)),
            received_ms: times.and_then(|times| times.at_receiver).map(milliseconds),
            benign: match &self.outcome.benign {
                Benign::Silent => Some("silent"),
                Benign::Told(_) => Some("told"),
                Benign::Failed(_) => Some("failed"),
                Benign::Lacks(_) => Some("lacks"),
                Benign::Unasked => None,
            },
            lacks: self.outcome.lacks(),
            faults: &faults,
        })
    }

    /// What went wrong with it, a paragraph each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.outcome.faults().into_iter().map(|fault| format!("{}: {fault}", self.detection.name)).collect()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    detection: &'a str,
    title: &'a str,
    level: &'a str,
    techniques: &'a [String],
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_event_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    benign: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    faults: &'a [String],
}

#[derive(Serialize)]
struct Lost<'a> {
    #[serde(flatten)]
    loss: &'a Loss,
    count: u64,
}

#[derive(Serialize)]
struct Sum<'a> {
    proven: usize,
    failed: usize,
    impossible: usize,
    lacks: &'a BTreeSet<&'a str>,
    lost_records: u64,
    losses: Vec<Lost<'a>>,
    runtime: &'a str,
    seconds: f32,
}

impl Report {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.proofs.iter().filter(|proof| proof.outcome.verdict() == verdict).count()
    }

    fn lost(&self) -> u64 {
        self.losses.iter().filter(|(loss, _)| loss.is_record()).map(|(_, count)| count).sum()
    }

    fn lacks(&self) -> BTreeSet<&str> {
        self.proofs.iter().filter_map(|proof| proof.outcome.lacks()).collect()
    }

    /// `58 proven · 0 failed · 2 not possible here (lacks aria2c) · 41.3 s in docker`.
    #[must_use]
    pub fn sum(&self) -> String {
        let lacks: Vec<_> = self.lacks().into_iter().collect();
        let lacks = if lacks.is_empty() { String::new() } else { format!(" (lacks {})", lacks.join(", ")) };
        let kinds: Vec<_> =
            self.losses.keys().filter(|loss| loss.is_record()).map(|loss| &*loss.what).collect();
        let lost = match self.lost() {
            0 => String::new(),
            lost => format!(" · {lost} records lost ({})", kinds.join(", ")),
        };
        format!(
            "{} proven · {} failed · {} not possible here{lacks}{lost} · {:.1} s in {}",
            self.count(Verdict::Proven),
            self.count(Verdict::Failed),
            self.count(Verdict::Impossible),
            self.seconds,
            self.runtime.name(),
        )
    }

    /// The same as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        line(&Sum {
            proven: self.count(Verdict::Proven),
            failed: self.count(Verdict::Failed),
            impossible: self.count(Verdict::Impossible),
            lacks: &self.lacks(),
            lost_records: self.lost(),
            losses: self.losses.iter().map(|(loss, count)| Lost { loss, count: *count }).collect(),
            runtime: self.runtime.name(),
            seconds: self.seconds,
        })
    }
}

/// Strings, numbers and lists of them: there is nothing in it that has no JSON form.
fn line(document: &impl Serialize) -> String {
    serde_json::to_string(document).map(|json| json + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::validate::Runtime;

    fn proof(name: &str, reason: Option<Reason>, benign: Benign) -> Proof {
        let detection = Detection {
            id: "1".into(),
            title: "A title".into(),
            name: name.into(),
            level: sigma::Level::Low,
            techniques: vec!["T1105".into()],
            tactics: Vec::new(),
            false_positives: Vec::new(),
            response: Vec::new(),
        };
        let times = Times {
            after_start: Duration::from_millis(900),
            after_event: Duration::from_millis(700),
            at_receiver: Some(Duration::from_millis(910)),
        };
        let times = reason.is_none().then_some(times);
        Proof { detection, outcome: Outcome { times, reason, benign } }
    }

    #[test]
    fn a_failure_of_either_script_is_a_failure_and_a_missing_tool_is_none() {
        let lacks = Some(Reason::Lacks("socat".into()));
        let cases = [
            (None, Benign::Silent, Verdict::Proven),
            (None, Benign::Unasked, Verdict::Proven),
            (None, Benign::Told("x".into()), Verdict::Failed),
            (Some(Reason::Failed("x".into())), Benign::Silent, Verdict::Failed),
            (lacks.clone(), Benign::Silent, Verdict::Impossible),
            (lacks, Benign::Told("x".into()), Verdict::Failed),
            (None, Benign::Lacks("socat".into()), Verdict::Impossible),
        ];
        for (reason, benign, verdict) in cases {
            assert_eq!(
                proof("x", reason.clone(), benign.clone()).outcome.verdict(),
                verdict,
                "{reason:?} {benign:?}"
            );
        }
    }

    #[test]
    fn sums_and_lines_say_the_same() {
        let report = Report {
            proofs: vec![
                proof("a", None, Benign::Silent),
                proof("b", Some(Reason::Lacks("aria2c".into())), Benign::Lacks("aria2c".into())),
                proof("c", None, Benign::Told("what came: low \"B\"".into())),
            ],
            runtime: Runtime::Docker,
            losses: [("close", "full"), ("match", "undecided: no runtime knows the container")]
                .map(|(what, reason)| (Loss { what: what.to_owned(), reason: reason.to_owned() }, 2))
                .into(),
            seconds: 4.25,
        };
        assert_eq!(
            report.sum(),
            "1 proven · 1 failed · 1 not possible here (lacks aria2c) · 2 records lost (close) · 4.2 s in docker"
        );
        let sum: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&sum["proven"], &sum["lacks"]), (&json!(1), &json!(["aria2c"])));
        assert_eq!((&sum["lost_records"], &sum["losses"][1]["count"]), (&json!(2), &json!(2)));
        let line: Value = serde_json::from_str(&report.proofs[0].json()).unwrap();
        assert_eq!(line["verdict"], "proven");
        assert_eq!((&line["alert_ms"], &line["received_ms"]), (&json!(900), &json!(910)));
        assert_eq!(report.proofs[0].row()[3..], ["900 ms", "700 ms", "910 ms", "silent"].map(str::to_owned));
        assert_eq!(report.proofs[2].faults(), ["c: benign.sh must be silent; what came: low \"B\""]);
    }
}
