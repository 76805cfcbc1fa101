//! `tidewaiter status`: how a running agent is, at a glance.

use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::table::print;
use super::{Exit, Failure};
use crate::control::SOCKET;
use crate::control::client;
use crate::control::protocol::About;
use crate::metric::snapshot::{Problem, Snapshot};
use crate::sink::stdout::terminal_width;
use crate::sink::text::{self, View};

pub(super) const ABOUT: &str = "\
Show at a glance how a running agent is, and whether its alerts arrive

Which hooks are attached and what is not seen for want of the others; how much happens; alerts of this run by level; each \
receiver with what it has, what waits for it and for how long, and why it is away; the outbox; losses with their reasons; \
the rules that match most and those that cost most; the delivery canary; the last heartbeat. What is wrong stands at the \
end, and decides the exit status.

Counts are since the agent started. It answers at a local socket of its own user and root (`control` in its \
configuration). Monitoring gets the same from /metrics: docs/metric.md.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter status
      For people
  sudo tidewaiter status --json | jq '.sinks[] | {name, is_up, backlog}'
      One JSON document; times ending in _ms are milliseconds, in _ns nanoseconds
  sudo tidewaiter status >/dev/null || echo \"look at it: tidewaiter status\"
      For a check that runs from time to time";

pub(super) const STATUS: &str = "\
Exit status:
  0  all is well
  1  something is wrong: a receiver is away, something was lost, a hook is missing or was detached, messages are in memory
     alone, or the canary did not come through
  2  it could not ask";

/// Options of `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusOptions {
    /// One JSON document, for programs
    #[arg(long)]
    pub json: bool,
    /// Where the agent answers
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub socket: PathBuf,
}

/// Negative when something is wrong.
pub(super) fn status(options: &StatusOptions) -> Result<Exit, Failure> {
    let rows = client::ask(&options.socket, About::Status)?;
    let Some(snapshot) = rows.status else {
        let remedy = "use the agent's own binary, or start it again after an upgrade";
        return Err(Failure::new("no answer", &"the agent did not say how it stands", remedy));
    };
    let problems = snapshot.problems();
    if options.json {
        print(&json(&snapshot, &problems));
    } else {
        let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        print(&text::status(&snapshot, &View { width: terminal_width(), colour, zone: TimeZone::system() }));
    }
    Ok(if problems.is_empty() { Exit::Good } else { Exit::Negative })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    is_well: bool,
    problems: &'a [Problem],
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

fn json(snapshot: &Snapshot, problems: &[Problem]) -> String {
    let document = Document { is_well: problems.is_empty(), problems, snapshot };
    // Texts, numbers and lists of them: there is nothing in it that has no JSON form.
    serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn programs_get_all_of_it_with_what_is_wrong() {
        let snapshot = sample::snapshot();
        let told: serde_json::Value = serde_json::from_str(&json(&snapshot, &snapshot.problems())).unwrap();
        assert_eq!((&told["is_well"], &told["problems"][1]["kind"]), (&false.into(), &"sink".into()));
        assert_eq!((&told["sinks"][1]["is_up"], &told["sinks"][1]["backlog"]), (&false.into(), &9.into()));
        assert_eq!(told["canary"]["sinks"][1].get("took_ms"), None);
        assert_eq!(serde_json::from_value::<Snapshot>(told).unwrap(), snapshot);
    }
}
