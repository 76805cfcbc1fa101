//! The way matrix: every thing that can be done, in every way that there is, on this kernel, and what the sensor
//! tells of it.
//!
//! The program `deed` does each thing once and tells the truth; `tidewaiter events` watches. A deed that no event
//! tells is a failure, unless the coverage notice said beforehand that this would not be seen here. So is an event
//! that tells it wrongly.
//!
//! Run as root with `cargo test -p tests --test matrix [-- WORD]`; WORD keeps the cells whose names have it, and
//! `--avoid fentry` makes the sensor do without that, as on a kernel that refuses it. With
//! `TIDEWAITER_WRITE=1` the column of this kernel in docs/way.md is written; with `TIDEWAITER_WRITE=console` it is
//! printed instead, for a guest that has no docs, and `matrix --merge` reads such a column on the host.
#![expect(clippy::print_stdout, reason = "this is the test runner: its table is its purpose")]

mod deed;
mod watch;
mod network;
mod file;
mod process;
mod judge;
mod account;
mod page;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::deed::{Deed, Deeds, Done};
use crate::judge::{Cell, Outcome};
use crate::watch::Watch;

/// How long an event may stay behind its deed: a connection's bytes are told every few seconds at the latest, and an
/// id that no runtime knows after five; emulated, all of it takes longer.
const LATE_MAX: Duration = Duration::from_secs(15);

/// Where a guest has a real disk; elsewhere the temporary directory is one.
const DISK: &str = "/disk";

/// What makes the matrix tell its column, and how.
const WRITE: &str = "TIDEWAITER_WRITE";

fn main() -> ExitCode {
    let mut words: Vec<_> = env::args().skip(1).collect();
    let avoided = take_avoided(&mut words);
    let outcome = if words.iter().any(|word| word == "--merge") {
        page::merge_from(std::io::stdin()).map(|told| {
            println!("{told}");
            true
        })
    } else {
        avoided.and_then(|avoided| matrix(&words, &avoided))
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("the way matrix cannot be made: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Takes each `--avoid MEANS` out of what was typed.
fn take_avoided(words: &mut Vec<String>) -> Result<Vec<String>> {
    let mut avoided = Vec::new();
    while let Some(at) = words.iter().position(|word| word == "--avoid") {
        ensure!(at + 1 < words.len(), "--avoid needs what is to be avoided, such as fentry");
        avoided.extend(words.drain(at..at + 2).skip(1));
    }
    Ok(avoided)
}

/// Whether every cell is as it must be, of a sensor that does without what is to be avoided.
fn matrix(words: &[String], avoided: &[String]) -> Result<bool> {
    let began = Instant::now();
    ensure!(rustix::process::geteuid().is_root(), "the sensor loads kernel programs: run this as root");
    let place = place()?;
    let deeds = Deeds::find()?;
    let (wanted, left_out) = deeds.list(words)?;
    if wanted.is_empty() {
        println!("no way has one of {words:?} in its name");
        return Ok(close(0, 0, began));
    }

    let mut watch = Watch::start(place.path(), avoided)?;
    println!("{} ways on Linux {}; {}", wanted.len(), watch.release(), watch.summary());
    if !left_out.is_empty() {
        println!("not here: {}, which are loads, or need a container", left_out.join(", "));
    }
    let ready = began.elapsed();
    let done = wanted.iter().map(|deed| deeds.act(deed, place.path(), watch.agent_id()));
    let done = done.collect::<Result<Vec<_>>>()?;
    let acted = began.elapsed();

    let cells = settle(&mut watch, &deeds, &wanted, &done)?;
    let losses = watch.losses()?;
    println!(
        "agent up in {:.1} s, deeds done in {:.1} s, told in {:.1} s\n",
        ready.as_secs_f32(),
        (acted - ready).as_secs_f32(),
        (began.elapsed() - acted).as_secs_f32()
    );
    for cell in &cells {
        println!("{cell}");
    }
    println!("\n{}", counts(&cells));
    // A loss that is told is no failure; a deed that fell to it still is.
    for loss in &losses {
        println!("told as lost or only counted meanwhile: {loss}");
    }
    let failures = cells.iter().filter(|cell| cell.outcome.is_failure()).count();
    tell(&watch, &cells, words.is_empty())?;
    watch.stop()?;
    Ok(close(cells.len() - failures, failures, began))
}

/// The closing line of cargo's own harness: whoever counts tests counts these as well. Whether all went well.
fn close(passed: usize, failures: usize, began: Instant) -> bool {
    println!(
        "\ntest result: {}. {passed} passed; {failures} failed; 0 ignored; finished in {:.1}s",
        if failures == 0 { "ok" } else { "FAILED" },
        began.elapsed().as_secs_f32()
    );
    failures == 0
}

/// Where the deeds leave their files: on a disk, and gone afterwards.
fn place() -> Result<TempDir> {
    let disk = Path::new(DISK);
    let parent = if disk.is_dir() { PathBuf::from(disk) } else { env::temp_dir() };
    let parent = fs::canonicalize(&parent).with_context(|| format!("finding {}", parent.display()))?;
    TempDir::with_prefix_in("tidewaiter-matrix-", parent).context("making a directory for the deeds")
}

/// Judges once all events that can be there are there. Events keep the kernel's order, so after a marker nothing of
/// the deeds is under way, but for what the agent tells at its own times; for that alone there is some patience.
fn settle(watch: &mut Watch, deeds: &Deeds, wanted: &[Deed], done: &[Done]) -> Result<Vec<Cell>> {
    // What fanotify tells of a turn stands behind what the ring told in it: a second marker is behind that.
    for number in 0..2 {
        watch.await_marker(deeds, number)?;
    }
    let deadline = Instant::now() + LATE_MAX;
    loop {
        let lines = watch.lines()?;
        let coverage = watch.coverage();
        let pairs = wanted.iter().zip(done);
        let cells: Vec<_> =
            pairs.map(|(deed, done)| judge::cell(deed, done, &lines, coverage, watch.agent_id())).collect();
        let is_settled =
            cells.iter().all(|cell| !matches!(cell.outcome, Outcome::Silent | Outcome::Wrong(_)));
        if is_settled || Instant::now() >= deadline {
            return Ok(cells);
        }
        watch.await_more(deadline)?;
    }
}

/// `71 seen; 12 accounted; ...`.
fn counts(cells: &[Cell]) -> String {
    let words = ["seen", "seen, no bytes", "accounted", "not here", "SILENT", "WRONG", "FAILED"];
    let count = |word: &&str| cells.iter().filter(|cell| cell.outcome.word() == *word).count();
    let told = words.iter().map(|word| (word, count(word))).filter(|(_, count)| *count > 0);
    told.map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join("; ")
}

/// Writes or prints this kernel's column, if that was asked for and the column is whole.
fn tell(watch: &Watch, cells: &[Cell], is_whole: bool) -> Result<()> {
    let Some(wish) = env::var_os(WRITE).filter(|_| is_whole) else { return Ok(()) };
    let column = page::Column::new(watch.release(), watch.tier(), cells);
    if wish == "console" {
        column.lines().for_each(|line| println!("{}{line}", page::PREFIX));
    } else {
        println!("{}", page::merge(&column)?);
    }
    Ok(())
}
