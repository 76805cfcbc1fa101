//! `cargo xtask bench`: what the sensor costs those who do not ask for it, on this machine.
//!
//! Each workload runs without the sensor and with it in turn (A B A B A): what else goes on here then weighs on
//! both. Each B is compared with the two A beside it, and these with each other, which tells the noise. A last
//! run, not timed, asks the kernel how long each of the sensor's programs took, since that count has a cost of
//! its own. `docs/cost.md` tells more.

pub(crate) mod workload;
mod figure;
mod program;
mod report;
mod sensor;
mod timed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::bench::figure::{Measurement, Round};
use crate::bench::sensor::Sensor;
use crate::bench::workload::{Scratch, Workload};
use crate::build;
use crate::command::{read, require_root};
use crate::place::Place;
use crate::progress;

/// What a round of one workload may take on average. On a machine that is slower than that, fewer are run:
/// eight workloads of seven rounds, with their preparation, end within six minutes.
const ROUND_MAX: Duration = Duration::from_millis(5500);

/// Where files lie in memory on every Linux.
const MEMORY: &str = "/dev/shm";

/// Measures the chosen workloads, or all, and prints the table.
pub(crate) fn bench(place: &Place, chosen: &[Workload], rounds: u32, json: bool) -> Result<()> {
    require_root("loading eBPF programs", "bench")?;
    build::build(place, true)?;
    let chosen = if chosen.is_empty() { Workload::value_variants() } else { chosen };
    let circumstances = Circumstances::read(place)?;
    let mut measurements = Vec::new();
    for workload in chosen {
        progress::step(&workload.to_string(), workload.describe(), || {
            let measured = measure(place, *workload, rounds)?;
            let detail = format!("{} rounds", measured.rounds.len());
            measurements.push(measured);
            Ok(detail)
        })?;
    }
    let load_after = load()?;
    if json {
        report::json(&circumstances, &load_after, &measurements)
    } else {
        report::text(&circumstances, &load_after, &measurements)
    }
}

/// What a reader must know to judge the figures.
struct Circumstances {
    kernel: String,
    processors: usize,
    disk: String,
    load_before: String,
}

impl Circumstances {
    fn read(place: &Place) -> Result<Self> {
        Ok(Self {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .context("cannot read the kernel's release")?
                .trim()
                .to_owned(),
            processors: std::thread::available_parallelism().context("cannot count processors")?.get(),
            disk: file_system(&place.target)?,
            load_before: load()?,
        })
    }
}

/// Processes that ran or wanted to, on average of the last minute.
fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read the machine's load")?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

fn measure(place: &Place, workload: Workload, rounds: u32) -> Result<Measurement> {
    let scratch = scratch(place, workload)?;
    workload.prepare(&scratch)?;
    let log = place.log("bench-sensor");
    // Not counted: afterwards caches, rustc and the file system are as warm for the first run as for the last.
    timed::run(workload, &scratch)?;
    let mut measured = Measurement::new(workload);
    let start = Instant::now();
    let mut before = timed::run(workload, &scratch)?;
    for _ in 0..rounds {
        let mut sensor = Sensor::start(&place.agent(true), &log)?;
        let used = sensor.cpu_time()?;
        let with = timed::run(workload, &scratch)?;
        // The rest of the records may still wait in the ring: it is read within one tick, at the sensor's end.
        let cpu = sensor.cpu_time()?.saturating_sub(used);
        measured.rss_kib = measured.rss_kib.max(sensor.rss_max_kib()?);
        let end = sensor.stop()?;
        measured.events += end.events;
        measured.lost += end.lost;
        let after = timed::run(workload, &scratch)?;
        measured.rounds.push(Round { before, with, after, cpu });
        before = after;
        if start.elapsed() > ROUND_MAX * rounds {
            break;
        }
    }
    measured.programs = program::profile(
        || Sensor::start(&place.agent(true), &log),
        || timed::run(workload, &scratch).map(drop),
    )?;
    Ok(measured)
}

/// A directory of this run only; `disk` is where the build output lies.
fn scratch(place: &Place, workload: Workload) -> Result<Scratch> {
    let parent = if workload.writes_to_memory() { PathBuf::from(MEMORY) } else { place.target.clone() };
    Scratch::create(parent.join(format!("tidewaiter-bench-{}", id())))
}

/// Which file system a directory lies on, for the report.
fn file_system(directory: &Path) -> Result<String> {
    let name = read(Command::new("stat").args(["--file-system", "--format=%T"]).arg(directory))?;
    Ok(name.trim().to_owned())
}
