//! How long each of the sensor's programs takes, by the kernel's own count (`BPF_ENABLE_STATS`).
//!
//! The count is on only while a descriptor is held, so the machine's setting stays as it is. It adds some 50 ns
//! to each run of a program; no timed run happens under it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};

use crate::bench::sensor::Sensor;

/// What one program did during one run of a workload.
#[derive(Debug, Clone)]
pub(super) struct ProgramCost {
    /// As the kernel keeps it: at most 15 letters.
    pub(super) name: String,
    pub(super) runs: u64,
    pub(super) time: Duration,
}

impl ProgramCost {
    /// Nanoseconds of a run, on average.
    pub(super) fn each(&self) -> u128 {
        self.time.as_nanos() / u128::from(self.runs.max(1))
    }
}

/// Runs the workload once under a sensor and tells which programs ran, the dearest in sum first.
pub(super) fn profile(
    sensor: impl FnOnce() -> Result<Sensor>,
    workload: impl FnOnce() -> Result<()>,
) -> Result<Vec<ProgramCost>> {
    let counting = enable_stats(Stats::RunTime).context("the kernel does not count its programs' time")?;
    let mut sensor = sensor()?;
    let own = programs(sensor.id())?;
    let before = counts(&own)?;
    workload()?;
    let after = counts(&own)?;
    drop(counting);
    sensor.stop()?;

    let mut costs: Vec<_> = after
        .into_iter()
        .map(|(id, now)| {
            let (runs, time) = before.get(&id).map_or((0, Duration::ZERO), |then| (then.runs, then.time));
            ProgramCost { runs: now.runs - runs, time: now.time.saturating_sub(time), name: now.name }
        })
        .filter(|cost| cost.runs > 0)
        .collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.time));
    Ok(costs)
}

/// Ids of the programs that a process holds, itself or by a link.
fn programs(process: u32) -> Result<BTreeSet<u32>> {
    let directory = format!("/proc/{process}/fdinfo");
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {directory}"))? {
        // A descriptor may close between the listing and the look.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        ids.extend(text.lines().filter_map(|line| line.strip_prefix("prog_id:")?.trim().parse::<u32>().ok()));
    }
    Ok(ids)
}

fn counts(own: &BTreeSet<u32>) -> Result<BTreeMap<u32, ProgramCost>> {
    let mut counts = BTreeMap::new();
    for program in loaded_programs() {
        // One of somebody else's may be unloaded while the list is read.
        let Ok(program) = program else { continue };
        if own.contains(&program.id()) {
            let name = String::from_utf8_lossy(program.name()).into_owned();
            counts.insert(
                program.id(),
                ProgramCost { name, runs: program.run_count(), time: program.run_time() },
            );
        }
    }
    Ok(counts)
}
