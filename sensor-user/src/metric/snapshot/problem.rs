//! What is wrong with how an agent stands, for whoever wants a short answer.

use serde::Serialize;

use super::{Canary, Sink, Snapshot};
use crate::alert::FAILED;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// One word for programs: `hook`, `detached`, `sink`, `outbox`, `loss`, `canary`.
    pub kind: &'static str,
    /// A sentence for people.
    pub what: String,
}

impl Problem {
    fn new(kind: &'static str, what: String) -> Self {
        Self { kind, what }
    }
}

impl Snapshot {
    /// Everything that is wrong, the worst first; empty: all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.blind > 0 {
            let what = "of the sensor's programs unhooked by somebody, and not to be had back: start the agent again";
            problems.push(Problem::new("detached", format!("{} {what}", self.blind)));
        }
        problems.extend(self.sinks.iter().filter_map(away));
        if self.outbox.as_ref().is_some_and(|outbox| !outbox.is_on_disk) {
            let what = "messages are kept in memory alone, and lost with the agent";
            problems.push(Problem::new("outbox", what.to_owned()));
        }
        problems.extend(self.canary.iter().filter_map(canary));
        let lost = self.losses.iter().fold(0_u64, |sum, loss| sum.saturating_add(loss.count));
        if lost > 0 {
            problems.push(Problem::new("loss", format!("{lost} lost since the start")));
        }
        let (missing, all) = (self.missing(), self.hooks.len());
        if missing > 0 {
            let what = format!("{missing} of {all} hooks missing: `tidewaiter check` says why");
            problems.push(Problem::new("hook", what));
        }
        problems
    }
}

fn away(sink: &Sink) -> Option<Problem> {
    let reason = sink.reason.as_deref().unwrap_or_default();
    (sink.is_up == Some(false)).then(|| Problem::new("sink", format!("{} is away: {reason}", sink.name)))
}

fn canary(canary: &Canary) -> Option<Problem> {
    let failure = canary.failure.as_deref().unwrap_or_default();
    (canary.is_well == Some(false)).then(|| Problem::new("canary", format!("{FAILED}: {failure}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::snapshot::Hook;
    use crate::sink::sample;

    #[test]
    fn each_thing_that_is_wrong_is_said_and_nothing_else() {
        let kinds = |snapshot: &Snapshot| -> Vec<&'static str> {
            snapshot.problems().iter().map(|problem| problem.kind).collect()
        };
        let mut snapshot = sample::snapshot();
        assert_eq!(kinds(&snapshot), ["detached", "sink", "canary", "loss", "hook"]);
        let whole = Hook { attached: Some("fanotify".to_owned()), ..Hook::default() };
        (snapshot.hooks, snapshot.blind, snapshot.losses) = (vec![whole], 0, Vec::new());
        snapshot.sinks.retain(|sink| sink.is_up == Some(true));
        snapshot.canary = None;
        assert_eq!(kinds(&snapshot), Vec::<&str>::new());
        snapshot.outbox.iter_mut().for_each(|outbox| outbox.is_on_disk = false);
        assert_eq!(kinds(&snapshot), ["outbox"]);
    }
}
