//! Proof of silence: an act that must be told. When its alert is here, all before it has been judged.
//!
//! The rule is one that the agent is given besides, so that it works whatever other rules there are. The act goes on
//! until its alert has come: a story that began earlier is told earlier, however long stories gather.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::ValidateError;
use super::command::program;
use super::container::Container;
use super::watch::Watch;

/// Longest wait for a marker; stories gather a minute at most, usually less than one second.
const MARK_MAX: Duration = Duration::from_secs(75);

/// What the shell of a marker runs: it waits until its input is closed.
const WAIT: &str = "read -r _";

/// The marker of one run.
#[derive(Debug)]
pub(super) struct Marker {
    /// What stands in its command line, before the number.
    word: String,
    count: AtomicU32,
}

impl Marker {
    pub(super) fn new(id: &str) -> Self {
        Self { word: format!("tidewaiter-validate-marker-{id}"), count: AtomicU32::new(0) }
    }

    /// The rule that tells it. What brings the command into the container is not meant, so the line begins with the shell.
    pub(super) fn rule(&self) -> String {
        format!(
            "title: Marker of tidewaiter validate\nid: {}\nlevel: informational\n\
             logsource: {{category: process_creation, product: linux}}\n\
             detection:\n  marker:\n    CommandLine|startswith: 'sh -c '\n    CommandLine|contains: '{}'\n  \
             condition: marker\n",
            Uuid::new_v4(),
            self.word
        )
    }

    /// Whether this is the command line of a marker.
    pub(super) fn is_meant(&self, command_line: &str) -> bool {
        command_line.contains(&self.word)
    }

    /// Sets one in the container and waits until it is told.
    ///
    /// # Errors
    /// It cannot be set, or is not told.
    pub(super) async fn set(&self, container: &Container, watch: &Watch) -> Result<(), ValidateError> {
        let word = format!("{}-{}.", self.word, self.count.fetch_add(1, Ordering::Relaxed));
        let mut words = container.inside.split_whitespace().chain(["sh", "-c", WAIT, &word]);
        let mut command = program(words.next().unwrap_or_default());
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |reason: String| ValidateError::Command { what: "setting a marker".to_owned(), reason };
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let told = watch.first(MARK_MAX, |alert| alert.command_line.contains(&word)).await?;
        drop(child.stdin.take());
        child.wait().await.map_err(|error| failed(error.to_string()))?;
        let silence =
            || ValidateError::Agent(format!("did not tell a marker within {} s", MARK_MAX.as_secs()));
        told.map(drop).ok_or_else(silence)
    }
}

#[cfg(test)]
mod tests {
    use sigma::{Placeholders, RuleSet, Source};

    use super::*;
    use crate::event::field::Fields;

    #[test]
    fn the_engine_takes_its_rule() {
        let marker = Marker::new("abcd1234");
        let source = Source::new("marker.yml", marker.rule());
        let rules = RuleSet::load([source], &Fields, &Placeholders::default()).unwrap();
        assert_eq!(rules.rules().len(), 1);
        assert!(marker.is_meant("sh -c read -r _ tidewaiter-validate-marker-abcd1234-3."));
    }
}
