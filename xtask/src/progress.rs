//! How tasks speak: one line for each step, a spinner while it lasts on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Names of steps stand in one column; the longest in use has 19 letters.
const NAME_WIDTH: usize = 20;

/// How often the spinner turns; slower looks stuck, faster costs a small machine something.
const TURN: Duration = Duration::from_millis(120);

/// What opens a task.
pub(crate) fn title(text: &str) {
    anstream::eprintln!("{STRONG}{text}{STRONG:#}");
}

/// A sentence of its own.
pub(crate) fn say(text: &str) {
    anstream::eprintln!("{text}");
}

/// A step that is done already.
pub(crate) fn good(name: &str, detail: &str) {
    anstream::eprintln!("  {GOOD}✔{GOOD:#} {name:<NAME_WIDTH$} {FAINT}{detail}{FAINT:#}");
}

/// A step that failed.
pub(crate) fn bad(name: &str, detail: &str) {
    anstream::eprintln!("  {BAD}✘{BAD:#} {name:<NAME_WIDTH$} {detail}");
}

/// A step that was left out, and why.
pub(crate) fn skipped(name: &str, reason: &str) {
    anstream::eprintln!("  {FAINT}-{FAINT:#} {name:<NAME_WIDTH$} skipped: {reason}");
}

/// What ended a task too early, with its reasons from the outermost in.
pub(crate) fn failure(error: &anyhow::Error) {
    let mut reasons = error.chain();
    let first = reasons.next().map(ToString::to_string).unwrap_or_default();
    anstream::eprintln!("{BAD}error:{BAD:#} {first}");
    for reason in reasons {
        anstream::eprintln!("  because {reason}");
    }
}

/// Runs a step that takes a while; `work` returns the detail of its closing line.
pub(crate) fn step(name: &str, doing: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let start = Instant::now();
    let spinner = stderr().is_terminal().then(|| spinner(name, doing));
    if spinner.is_none() {
        anstream::eprintln!("  … {name:<NAME_WIDTH$} {doing}");
    }
    let outcome = work();
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let took = seconds(start.elapsed());
    match &outcome {
        Ok(detail) => good(name, &format!("{detail} ({took})")),
        Err(_) => bad(name, &format!("failed after {took}")),
    }
    outcome.map(drop)
}

/// A duration as people say it.
pub(crate) fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

fn spinner(name: &str, doing: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner:.cyan} {prefix} {msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner()
        .with_style(style)
        .with_prefix(format!("{name:<NAME_WIDTH$}"))
        .with_message(doing.to_owned());
    bar.enable_steady_tick(TURN);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(Duration::from_millis(340)), "0.3 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
