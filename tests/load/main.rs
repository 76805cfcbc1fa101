//! Load tests: what the sensor sees, counts and costs when somebody does as much as a machine can.
//!
//! `cargo xtask test load`, or as root `cargo test -p tests --test load [-- WORD]`; WORD keeps the cases whose name
//! has it.
//! `-- full` takes the lengths that the figures in `docs/cost.md` are from; without it each takes seconds.
#![expect(clippy::print_stdout, reason = "this is the test runner: its report is its purpose")]

mod observer;
mod race;
mod bytes;
mod flood;
mod pace;
mod crowd;
mod scale;
mod outbox;
mod chaos;
mod cut;
mod marker;
mod latency;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use tests::world::World;

/// Long runs on request.
const FULL: &str = "full";

/// What a case needs.
struct Stage<'w> {
    world: &'w World,
    /// Docker's `--volume` that shows containers the program `deed`.
    volume: String,
    full: bool,
}

/// Where containers find `deed`.
const DEED: &str = "/deed/deed";

type Run = fn(&Stage<'_>) -> Result<String>;

const CASES: &[(&str, Run)] = &[
    ("race: an address that changes during connect", race::run),
    ("bytes: TCP on loopback", bytes::loopback),
    ("bytes: UDP", bytes::udp),
    ("bytes: between containers", bytes::between),
    ("bytes: a socket that was open before", bytes::earlier),
    ("flood: 50 uploads beside it", flood::beside),
    ("flood: the agent is stopped meanwhile", flood::stopped),
    ("pace: mixed events, steadily", pace::run),
    ("crowd: gone at once, Docker", crowd::docker),
    ("crowd: gone at once, containerd by CRI", crowd::cri),
    ("crowd: gone at once, Podman", crowd::podman),
    ("crowd: gone at once, runc alone", crowd::runc),
    ("crowd: gone at once, crun alone", crowd::crun),
    ("outbox: the agent is killed under load", outbox::agent_killed),
    ("outbox: all receivers are killed, stopped and cut off", chaos::run),
    ("latency: a system call to a receiver", latency::run),
    ("scale: a full host when the agent starts", scale::run),
];

fn main() -> ExitCode {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    let full = words.iter().any(|word| word == FULL);
    let words = words.into_iter().filter(|word| word != FULL).collect::<Vec<_>>();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    match run(full, chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("load tests cannot start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chosen cases; false: one failed.
fn run(full: bool, chosen: impl Fn(&str) -> bool) -> Result<bool> {
    let began = Instant::now();
    let world = World::start()?;
    let volume = share(world.directory())?;
    let stage = Stage { world: &world, volume, full };
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().filter(|(name, _)| chosen(name)) {
        match case(&stage) {
            Ok(told) => {
                println!("ok      {name:<46} {told}");
                passed += 1;
            }
            Err(error) => {
                println!("FAILED  {name}\n        {error:#}");
                failed += 1;
            }
        }
    }
    // The closing line of cargo's own harness: whoever counts tests counts these as well.
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; finished in {:.1}s",
        if failed == 0 { "ok" } else { "FAILED" },
        began.elapsed().as_secs_f32()
    );
    Ok(failed == 0)
}

/// Copies `deed` to where containers may see it and nothing else.
fn share(directory: &Path) -> Result<String> {
    let folder = directory.join("deed");
    std::fs::create_dir(&folder)?;
    let deed = PathBuf::from(env!("CARGO_BIN_EXE_deed"));
    std::fs::copy(&deed, folder.join("deed")).with_context(|| format!("copying {}", deed.display()))?;
    Ok(format!("{}:/deed:ro", folder.display()))
}

impl Stage<'_> {
    /// A container, not started, that does a deed.
    fn container(&self, name: &str, words: &[&str]) -> Result<tests::docker::Container<'_>> {
        self.world.container_with(name, &["--volume", &self.volume], words)
    }
}

/// The line that a deed tells.
fn truth(ended: &tests::docker::Ended) -> Result<serde_json::Value> {
    anyhow::ensure!(ended.status.success(), "the deed ended with {}: {}", ended.status, ended.output);
    let line = ended.output.lines().find(|line| line.starts_with('{')).context("the deed told nothing")?;
    Ok(serde_json::from_str(line)?)
}
