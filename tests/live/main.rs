//! Live tests: the real agent on this kernel, real tools in real containers, a real rsyslogd.
//!
//! Run as root with `cargo test -p tests --test live [-- WORD]`; WORD keeps the cases whose name has it.
//! What is missing fails with its remedy: nothing is skipped.
#![expect(clippy::print_stdout, reason = "this is the test runner: its report is its purpose")]

mod refusal;
mod privilege;
mod check;
mod transfer;
mod story;
mod chain;
mod silence;
mod identity;
mod trick;
mod pending;
mod correlation;
mod runtime;
mod socket;
mod output;
mod hostile;
mod redact;
mod outbox;
mod receiver;
mod monitor;
mod tamper;
mod delivery;
mod topic;
mod picture;
mod reload;
mod validate;
mod cluster;
mod place;
mod image;
mod manifest;
mod start;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};
use tests::world::World;

type Run = Box<dyn Fn(&World) -> Result<String>>;

/// One thing that must hold; what it returns is told beside its name.
struct Case {
    name: String,
    run: Run,
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn(&World) -> Result<String> + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// `start` comes last: it judges what the agent costs after all the others have used it.
fn cases() -> Vec<Case> {
    let groups = [
        refusal::cases(),
        privilege::cases(),
        check::cases(),
        transfer::cases(),
        story::cases(),
        chain::cases(),
        silence::cases(),
        identity::cases(),
        trick::cases(),
        pending::cases(),
        correlation::cases(),
        runtime::cases(),
        socket::cases(),
        output::cases(),
        hostile::cases(),
        redact::cases(),
        outbox::cases(),
        receiver::cases(),
        monitor::cases(),
        tamper::cases(),
        delivery::cases(),
        topic::cases(),
        picture::cases(),
        reload::cases(),
        validate::cases(),
        cluster::cases(),
        place::cases(),
        image::cases(),
        manifest::cases(),
        start::cases(),
    ];
    groups.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    let chosen = |case: &Case| words.is_empty() || words.iter().any(|word| case.name.contains(word.as_str()));
    let cases = cases().into_iter().filter(chosen).collect::<Vec<_>>();
    if cases.is_empty() {
        println!("no live test has {words:?} in its name");
        return ExitCode::FAILURE;
    }

    let began = Instant::now();
    let world = match World::start() {
        Ok(world) => world,
        Err(error) => {
            println!("live tests cannot start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} live tests; parts and agent up in {:.1} s\n", cases.len(), began.elapsed().as_secs_f32());

    let failures = cases.iter().filter(|case| !passes(case, &world)).count();
    // The closing line of cargo's own harness: whoever counts tests counts these as well.
    println!(
        "\ntest result: {}. {} passed; {failures} failed; 0 ignored; finished in {:.1}s",
        if failures == 0 { "ok" } else { "FAILED" },
        cases.len() - failures,
        began.elapsed().as_secs_f32()
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one case and prints its line.
fn passes(case: &Case, world: &World) -> bool {
    let panicked = |_| Err(anyhow!("it panicked"));
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.run)(world))).unwrap_or_else(panicked);
    match &outcome {
        Ok(told) => println!("ok      {:<54} {told}", case.name),
        Err(error) => println!("FAILED  {}\n{}", case.name, indent(&format!("{error:#}"))),
    }
    outcome.is_ok()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}
