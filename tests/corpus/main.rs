//! The corpus of harmless work: packages, servers with health checks, backups, builds, checkouts, logs. With the
//! built-in detections and the default configuration it may lead to one alert of medium or graver at most.
//!
//! Run as root with `cargo xtask test corpus`. Every alert is listed with what explains it; one of medium or graver
//! that nothing here explains fails.
#![expect(clippy::print_stdout, reason = "this is the test runner: its report is its purpose")]

mod stage;
mod verdict;
mod work;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use stage::Stage;

fn main() -> ExitCode {
    let began = Instant::now();
    let outcome = run();
    let (passed, word) = if outcome.is_ok() { (1, "ok") } else { (0, "FAILED") };
    if let Err(error) = outcome {
        println!("{error:#}");
    }
    // The closing line of cargo's own harness: whoever counts tests counts this as well.
    println!(
        "\ntest result: {word}. {passed} passed; {} failed; 0 ignored; finished in {:.1}s",
        1 - passed,
        began.elapsed().as_secs_f32()
    );
    if passed == 1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run() -> Result<()> {
    let began = Instant::now();
    let mut stage = Stage::start()?;
    println!("image and agent up in {:.1} s", began.elapsed().as_secs_f32());
    let alerts = stage.play()?;
    verdict::judge(&alerts)
}
