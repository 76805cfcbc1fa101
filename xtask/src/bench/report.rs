//! The table for people and the document for programs, on standard output. It judges nothing itself.

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::Circumstances;
use crate::bench::figure::{Measurement, Spread};
use crate::bench::program::ProgramCost;
use crate::bench::workload::Workload;

/// Programs shown for each workload; what comes after these weighs nothing.
const PROGRAMS_SHOWN: usize = 4;

/// What the columns mean.
const LEGEND: &str = "\
ratio    with / without, against the runs before and after
noise    the same of two runs without the sensor: what the ratio cannot tell from nothing
noisy    the goal lies between the quartiles of the rounds; repeat it on a quieter machine
agent    share of one processor that the agent used meanwhile; events, lost: its own count, all rounds

Its programs in the kernel (one more run, counted by the kernel, with about 50 ns a run for counting):
";

/// For people.
pub(super) fn text(
    circumstances: &Circumstances,
    load_after: &str,
    measurements: &[Measurement],
) -> Result<()> {
    let mut text = format!(
        "\nTidewaiter: what the sensor costs\nLinux {}, {} processors, disk {}; load {} before and {load_after} after\n\n",
        circumstances.kernel, circumstances.processors, circumstances.disk, circumstances.load_before,
    );
    text += &format!(
        "{:<27}{:>10}{:>10}  {:<20}{:>6}  {:<14}{:<11}{:>6}{:>9}{:>9}{:>6}\n",
        "each",
        "without",
        "with",
        "ratio (min-max)",
        "goal",
        "verdict",
        "noise",
        "agent",
        "max RSS",
        "events",
        "lost"
    );
    for measured in measurements {
        text += &row(measured);
    }
    let rounds = measurements.iter().map(|measured| measured.rounds.len()).min().unwrap_or_default();
    text += &format!("\nMedians of at least {rounds} rounds.\n{LEGEND}");
    for measured in measurements {
        text += &programs(measured);
    }
    stdout().write_all(text.as_bytes()).context("cannot print the table")
}

fn row(measured: &Measurement) -> String {
    let (ratio, noise) = (measured.ratio(), measured.noise());
    format!(
        "{:<27}{:>10}{:>10}  {:<20}{:>6.2}  {:<14}{:<11}{:>4.1} %{:>5.1} MiB{:>9}{:>6}\n",
        measured.workload.describe(),
        nanoseconds(measured.without().median),
        nanoseconds(measured.with().median),
        format!("{:.3} ({:.2}-{:.2})", ratio.median, ratio.min, ratio.max),
        measured.workload.goal(),
        measured.verdict(),
        format!("{:.2}-{:.2}", noise.min, noise.max),
        measured.cpu_share() * 100.0,
        f64::from(u32::try_from(measured.rss_kib).unwrap_or(u32::MAX)) / 1024.0,
        measured.events,
        measured.lost,
    )
}

fn programs(measured: &Measurement) -> String {
    let count = measured.workload.count();
    let share = measured.in_kernel() / measured.without().median * 100.0;
    let mut text = format!(
        "  {:<27}{:>10}  in all, {share:.2} %\n",
        measured.workload.describe(),
        nanoseconds(measured.in_kernel())
    );
    for program in measured.programs.iter().take(PROGRAMS_SHOWN) {
        let sum = program.time.as_secs_f64() * 1e9 / f64::from(count);
        text += &format!(
            "    {:<25}{:>10}  = {} runs of {} ns\n",
            program.name,
            nanoseconds(sum),
            program.runs,
            program.each()
        );
    }
    text
}

/// A time per operation as people read it.
fn nanoseconds(value: f64) -> String {
    let units = [(1e6, "ms", 2), (1e3, "µs", 2), (1.0, "ns", 1)];
    let (size, unit, places) = units.into_iter().find(|(size, ..)| value >= *size).unwrap_or((1.0, "ns", 1));
    format!("{:.places$} {unit}", value / size)
}

/// For programs.
pub(super) fn json(
    circumstances: &Circumstances,
    load_after: &str,
    measurements: &[Measurement],
) -> Result<()> {
    let document = json!({
        "kernel": circumstances.kernel,
        "processors": circumstances.processors,
        "disk": circumstances.disk,
        "load_before": circumstances.load_before,
        "load_after": load_after,
        "workloads": measurements.iter().map(measurement).collect::<Vec<_>>(),
    });
    writeln!(stdout(), "{document:#}").context("cannot print the document")
}

fn measurement(measured: &Measurement) -> Value {
    let workload: Workload = measured.workload;
    json!({
        "name": workload.to_string(),
        "operations": workload.count(),
        "without_ns": spread(measured.without()),
        "with_ns": spread(measured.with()),
        "ratio": spread(measured.ratio()),
        "noise": spread(measured.noise()),
        "goal": workload.goal(),
        "verdict": measured.verdict().to_string(),
        "rounds": measured.rounds.iter().map(|round| json!({
            "before_ns": whole(round.before),
            "with_ns": whole(round.with),
            "after_ns": whole(round.after),
            "agent_cpu_ns": whole(round.cpu),
        })).collect::<Vec<_>>(),
        "agent_cpu_seconds": measured.cpu().as_secs_f64(),
        "agent_cpu_share": measured.cpu_share(),
        "agent_rss_max_kib": measured.rss_kib,
        "events": measured.events,
        "lost": measured.lost,
        "programs_ns": measured.in_kernel(),
        "programs": measured.programs.iter().map(program).collect::<Vec<_>>(),
    })
}

fn spread(of: Spread) -> Value {
    json!({ "min": of.min, "lower": of.lower, "median": of.median, "upper": of.upper, "max": of.max })
}

fn program(cost: &ProgramCost) -> Value {
    json!({ "name": cost.name, "runs": cost.runs, "ns": whole(cost.time) })
}

/// JSON numbers end at 64 bits, which is 584 years of nanoseconds.
fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_fitting_units() {
        assert_eq!(nanoseconds(61.26), "61.3 ns");
        assert_eq!(nanoseconds(0.0), "0.0 ns");
        assert_eq!(nanoseconds(12_345.0), "12.35 µs");
        assert_eq!(nanoseconds(3_000_000.0), "3.00 ms");
    }

    #[test]
    fn every_row_stands_under_its_head() {
        let of = |workload| row(&Measurement::new(workload)).chars().count();
        let widths: Vec<_> =
            <Workload as clap::ValueEnum>::value_variants().iter().copied().map(of).collect();
        assert!(widths.iter().all(|width| Some(width) == widths.first()), "{widths:?}");
    }
}
