//! `cargo xtask test`: every check there is, part by part, the quick ones first.
//!
//! A part that fails does not keep the others from being tried; the sum at the end tells all of them.

use std::env::consts::ARCH;
use std::io::{BufRead, BufReader, IsTerminal, Write, stdout};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::beside::Beside;
use crate::build;
use crate::command;
use crate::command::require_root;
use crate::dist;
use crate::kernel::{ARM_KERNELS, KERNELS};
use crate::lab::LabPart;
use crate::machine::Machine;
use crate::place::Place;
use crate::progress;
use crate::setup;
use crate::tidy;
use crate::trial;
use crate::verdict::Tally;
use crate::vm;

/// What a person may ask for instead of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Formatting, house rules, lints, licences: seconds
    Style,
    /// Unit and replay tests: no root, no eBPF
    Unit,
    /// The Kubernetes source against a real API server (root, once, to build that)
    Cluster,
    /// Real tools in real containers, and every way of every deed, on this kernel (root)
    Live,
    /// Everyday work in containers, which must stay all but silent (root)
    Corpus,
    /// Floods, a race, bytes to the byte, a steady pace; with `-- full` as long as the figures in docs (root)
    Load,
    /// A transfer, and every way, on each of the lab's kernels in QEMU (root)
    Vm,
    /// What `dist` makes: the image under runc, the package on a Debian under systemd (root); only when it is named
    Package,
    /// What `dist` makes for aarch64: a transfer, and every way, on that machine's kernels in QEMU (root); only when named
    Aarch64,
}

/// One part of a test run, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Format,
    Tidy,
    Build,
    Clippy,
    Licences,
    /// The test programs, compiled while the lab is made.
    Compile,
    Unit,
    Cluster,
    Live,
    Corpus,
    Load,
    Vm,
    Package,
    Aarch64,
}

/// What `cargo test` is told for the unit tests, and for those that replay.
const UNIT: &[&str] = &["--no-fail-fast", "--workspace", "--exclude", "tests"];
const REPLAY: &[&str] =
    &["--no-fail-fast", "--package", "tests", "--test", "replay", "--test", "truth", "--test", "scale"];
/// Those that ask the lab's Python.
const DIFFERENTIAL: &[&str] =
    &["--no-fail-fast", "--package", "tests", "--test", "differential", "--test", "deploy"];
/// Tests that only run when they are named.
const NAMED: [&str; 5] = ["cluster", "live", "matrix", "corpus", "load"];

/// The parts that only run when they are named, and why.
const APART: &str = "what is handed on was not tried: linking it as a whole takes many minutes; `cargo xtask test package aarch64` does";

/// How a part went.
enum Outcome {
    Passed(Tally),
    Failed(Tally, String),
    Skipped(String),
}

impl Part {
    const ALL: [Self; 14] = [
        Self::Format,
        Self::Tidy,
        Self::Build,
        Self::Clippy,
        Self::Licences,
        Self::Compile,
        Self::Unit,
        Self::Cluster,
        Self::Live,
        Self::Corpus,
        Self::Load,
        Self::Vm,
        Self::Package,
        Self::Aarch64,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Licences => "licences",
            Self::Compile => "test programs",
            Self::Unit => "unit and replay",
            Self::Build => "build",
            Self::Cluster => "cluster",
            Self::Live => "live",
            Self::Corpus => "corpus",
            Self::Load => "load",
            Self::Vm => "vm",
            Self::Package => "package",
            Self::Aarch64 => "aarch64",
        }
    }

    fn is_chosen(self, choices: &[Choice]) -> bool {
        let by = |choice: &Choice| match self {
            Self::Format | Self::Tidy | Self::Clippy | Self::Licences => *choice == Choice::Style,
            // Who asks for one part alone has it compiled there.
            Self::Compile => false,
            Self::Unit => *choice == Choice::Unit,
            Self::Build => matches!(choice, Choice::Live | Choice::Corpus | Choice::Load | Choice::Vm),
            Self::Cluster => *choice == Choice::Cluster,
            Self::Live => *choice == Choice::Live,
            Self::Corpus => *choice == Choice::Corpus,
            Self::Load => *choice == Choice::Load,
            Self::Vm => *choice == Choice::Vm,
            Self::Package => *choice == Choice::Package,
            Self::Aarch64 => *choice == Choice::Aarch64,
        };
        choices.is_empty() && !self.is_apart() || choices.iter().any(by)
    }

    /// Whether it is no part of a whole run.
    fn is_apart(self) -> bool {
        matches!(self, Self::Package | Self::Aarch64)
    }

    /// Whether who names it wants it done or to fail.
    fn is_asked_for(self) -> bool {
        self.is_apart() || matches!(self, Self::Cluster | Self::Live | Self::Corpus | Self::Load | Self::Vm)
    }

    /// Why it cannot be done here, with the remedy.
    fn obstacle(self, place: &Place) -> Option<String> {
        let lacks = |tool: &str, remedy: &str| {
            let there = command::read(command::cargo().args([tool, "--version"])).is_ok();
            (!there).then(|| format!("cargo {tool} is not installed; `{remedy}` adds it"))
        };
        match self {
            Self::Format => lacks("fmt", "rustup component add rustfmt"),
            Self::Clippy => lacks("clippy", "rustup component add clippy"),
            Self::Licences => lacks("deny", "cargo install --locked cargo-deny"),
            Self::Vm | Self::Package | Self::Aarch64 if ARCH != "x86_64" => {
                Some(format!("the lab's machine is for x86_64, and this is {ARCH}"))
            }
            Self::Live | Self::Corpus | Self::Load | Self::Vm | Self::Package | Self::Aarch64 => {
                require_root("this part", "test").err().map(|error| error.to_string())
            }
            Self::Cluster if LabPart::ApiServer.found(place).is_none() => {
                require_root("making the lab's API server", "test").err().map(|error| error.to_string())
            }
            Self::Tidy | Self::Compile | Self::Unit | Self::Build | Self::Cluster => None,
        }
    }

    fn run(self, place: &Place, words: &[String]) -> Result<Tally> {
        let cargo = |words: &[&str]| {
            let mut cargo = command::cargo();
            cargo.current_dir(&place.root).args(words);
            cargo
        };
        let done = |result: Result<()>| result.map(|()| Tally::default());
        let run = |test: &str| {
            let mut named = cargo(&["test", "--package", "tests", "--test", test, "--"]);
            named.args(words);
            count(named.env("TIDEWAITER_BIN", place.agent(true)).env("TIDEWAITER_LAB", place.lab()))
        };
        match self {
            Self::Format => done(command::show(&mut cargo(&["fmt", "--all", "--check"]))),
            Self::Tidy => done(tidy::tidy(place)),
            Self::Clippy => {
                let deny = ["--quiet", "--", "--deny", "warnings"];
                command::show(cargo(&["clippy", "--workspace", "--all-targets"]).args(deny))?;
                // Tests that only run when they are named are no targets of `--all-targets`.
                let mut named = cargo(&["clippy", "--package", "tests"]);
                NAMED.iter().for_each(|test| _ = named.args(["--test", test]));
                done(command::show(named.args(deny)))
            }
            Self::Licences => licences(cargo),
            Self::Compile => compile(cargo),
            Self::Unit => {
                let unit = count(cargo(&["test"]).args(UNIT));
                let replay = count(cargo(&["test"]).args(REPLAY));
                // What it lacks, the test says itself.
                if let Err(error) = setup::ensure(setup::DIFFERENTIAL, place) {
                    progress::say(&format!(
                        "rules and manifests are not compared with what Python has: {error:#}"
                    ));
                }
                let mut differential = cargo(&["test"]);
                differential.args(DIFFERENTIAL).args(["--", "--nocapture"]);
                let differential = count(differential.env("TIDEWAITER_LAB", place.lab()));
                Ok(unit?.with(replay?).with(differential?))
            }
            Self::Build => done(build::build(place, true)),
            Self::Cluster => {
                setup::ensure(setup::CLUSTER, place)?;
                run("cluster")
            }
            Self::Live => {
                setup::ensure(setup::LIVE, place)?;
                let (live, matrix) = (run("live"), run("matrix"));
                Ok(live?.with(matrix?))
            }
            Self::Corpus => {
                setup::ensure(setup::CORPUS, place)?;
                run("corpus")
            }
            Self::Load => {
                setup::ensure(setup::LIVE, place)?;
                run("load")
            }
            Self::Vm => {
                build::build(place, true)?;
                vm::whole(place, Machine::own()?, KERNELS, &place.agent(true))
            }
            Self::Package => {
                setup::ensure(setup::LIVE, place)?;
                build::build(place, true)?;
                let shipment = trial::shipment(place)?;
                let mut live = cargo(&["test", "--package", "tests", "--test", "live", "--", "image:"]);
                live.env("TIDEWAITER_BIN", place.agent(true)).env("TIDEWAITER_LAB", place.lab());
                let live = count(live.env("TIDEWAITER_IMAGE", shipment.image()));
                Ok(live?.with(trial::package(place, &shipment)?))
            }
            Self::Aarch64 => {
                let shipment = dist::dist(place, Machine::Arm)?;
                vm::whole(place, Machine::Arm, ARM_KERNELS, &shipment.binary())
            }
        }
    }
}

/// Runs the chosen parts, or all, and tells how each went. `words` narrow the live tests to those whose names
/// have one of them.
pub(crate) fn test(place: &Place, choices: &[Choice], words: &[String]) -> Result<()> {
    let mut rows = Vec::new();
    let mut lab = None;
    for part in Part::ALL.into_iter().filter(|part| part.is_chosen(choices)) {
        if part == Part::Build && choices.is_empty() {
            lab = Beside::begin(place)?;
        } else if part == Part::Unit {
            // From here on tests measure.
            lab.take().into_iter().for_each(Beside::end);
        }
        progress::title(&format!("\n── {}", part.name()));
        let start = Instant::now();
        let outcome = attempt(part, place, words, !choices.is_empty());
        rows.push((part, outcome, start.elapsed()));
    }
    report(&rows, choices.is_empty())
}

/// A part that was asked for by name and cannot be done has failed; among all others it is skipped, and told.
fn attempt(part: Part, place: &Place, words: &[String], named: bool) -> Outcome {
    if let Some(obstacle) = part.obstacle(place) {
        progress::say(&format!("skipped: {obstacle}"));
        return if named && part.is_asked_for() {
            Outcome::Failed(Tally::default(), obstacle)
        } else {
            Outcome::Skipped(obstacle)
        };
    }
    match part.run(place, words) {
        Ok(tally) if tally.failed > 0 => Outcome::Failed(tally, tally.to_string()),
        Ok(tally) => Outcome::Passed(tally),
        Err(error) => {
            progress::failure(&error);
            Outcome::Failed(Tally::default(), error.to_string())
        }
    }
}

/// The table of parts, then the one closing line. A part without counted tests counts as one when it fails or
/// is skipped, so that the line never says less than what happened.
fn report(rows: &[(Part, Outcome, Duration)], is_whole: bool) -> Result<()> {
    progress::title("\nTidewaiter: tests");
    let mut sum = Tally::default();
    let mut failed = Vec::new();
    for (part, outcome, took) in rows {
        let took = progress::seconds(*took);
        match outcome {
            Outcome::Passed(tally) => {
                sum = sum.with(*tally);
                let counts = if *tally == Tally::default() { String::new() } else { tally.to_string() };
                progress::good(part.name(), &format!("{took:>12}  {counts}"));
            }
            Outcome::Failed(tally, reason) => {
                sum = sum.with(Tally { failed: tally.failed.max(1), ..*tally });
                failed.push(part.name());
                progress::bad(part.name(), &format!("{took:>12}  {reason}"));
            }
            Outcome::Skipped(reason) => {
                sum = sum.with(Tally { skipped: 1, ..Tally::default() });
                progress::skipped(part.name(), reason);
            }
        }
    }
    if is_whole {
        progress::say(&format!("  - {APART}"));
    }
    writeln!(stdout(), "{sum}").context("cannot write the result")?;
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The test programs: those that only run when they are named one by one, as they are asked for.
fn compile(cargo: impl Fn(&[&str]) -> Command) -> Result<Tally> {
    for words in [UNIT, REPLAY, DIFFERENTIAL] {
        command::show(cargo(&["test", "--quiet", "--no-run"]).args(words))?;
    }
    for test in NAMED {
        command::show(&mut cargo(&["test", "--quiet", "--no-run", "--package", "tests", "--test", test]))?;
    }
    Ok(Tally::default())
}

/// Licences, bans and sources need only the lock file; advisories need their database, which needs the network.
fn licences(cargo: impl Fn(&[&str]) -> Command) -> Result<Tally> {
    command::show(&mut cargo(&["deny", "check", "licenses", "bans", "sources"]))?;
    if let Err(error) = command::read(&mut cargo(&["deny", "fetch", "db"])) {
        progress::say(&format!("advisories skipped: their database cannot be fetched here\n{error:#}"));
        return Ok(Tally { skipped: 1, ..Tally::default() });
    }
    command::show(&mut cargo(&["deny", "check", "advisories"]))?;
    Ok(Tally::default())
}

/// Runs `cargo test`, passes its output on and sums up its closing lines.
fn count(cargo: &mut Command) -> Result<Tally> {
    if stdout().is_terminal() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let line = command::line(cargo);
    let mut child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{line}`"))?;
    let output = child.stdout.take().with_context(|| format!("`{line}` has no output"))?;
    let mut tally = Tally::default();
    for text in BufReader::new(output).split(b'\n') {
        let text = text.with_context(|| format!("cannot read what `{line}` says"))?;
        let text = String::from_utf8_lossy(&text);
        writeln!(stdout(), "{text}").context("cannot pass on the tests' output")?;
        if let Some(counts) = Tally::read(&text) {
            tally = tally.with(counts);
        }
    }
    let status = child.wait().with_context(|| format!("cannot await `{line}`"))?;
    if !status.success() && tally.failed == 0 {
        bail!("`{line}` ended with {status} before its tests did");
    }
    Ok(tally)
}
