//! `cargo xtask vm`: the sensor on other kernels. Boots distributions' kernels in QEMU, one after the other, lets a
//! script move data inside a container there, and checks the alert that came of it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::artifact::{self, Artifact};
use crate::build;
use crate::command::require_root;
use crate::guest::Guest;
use crate::kernel::Kernel;
use crate::lab::LabPart;
use crate::place::Place;
use crate::progress;
use crate::qemu::{self, Run};
use crate::setup;
use crate::verdict::{Check, Tally};

/// The test that runs when no command is given.
const TRANSFER: &str = include_str!("../guest/transfer.sh");

/// How one kernel did.
struct Row {
    kernel: &'static Kernel,
    /// The guest's run and what was checked in it, or why there is none.
    outcome: Result<(Run, Vec<Check>)>,
    took: Duration,
}

/// Runs a command in guests and shows its output, or, without a command, the transfer test.
pub(crate) fn run(place: &Place, kernels: &[&'static Kernel], words: &[String], max: Duration) -> Result<()> {
    let tally = if words.is_empty() {
        transfer(place, kernels, max)?
    } else {
        let programs = artifact::built(place);
        for Artifact { name, path } in &programs {
            progress::good(name, &format!("{}, as it was built last", path.display()));
        }
        every(kernels, |kernel| command(place, kernel, &words.join(" "), &programs, max))
    };
    progress::say(&tally.to_string());
    if tally.failed > 0 {
        bail!("not all went well in QEMU");
    }
    Ok(())
}

/// The transfer test on some kernels; each expectation is told and counted.
pub(crate) fn transfer(place: &Place, kernels: &[&'static Kernel], max: Duration) -> Result<Tally> {
    build::build(place, true)?;
    let agent = [Artifact { name: "tidewaiter", path: place.agent(true) }];
    Ok(every(kernels, |kernel| {
        let guest = prepare(place, kernel, TRANSFER, &agent)?;
        let run = qemu::run(place, kernel, &guest, false, max)?;
        progress::title(&format!("Linux {} in QEMU", run.verdict.release));
        let checks = run.verdict.checks();
        for check in &checks {
            match &check.failure {
                None => progress::good("", &check.name),
                Some(reason) => progress::bad("", &format!("{}: {reason}", check.name)),
            }
        }
        if checks.iter().any(|check| check.failure.is_some()) {
            progress::say(&run.verdict.excerpt());
        }
        Ok((run, checks))
    }))
}

/// A command that ends with 0 on a kernel without a fault is a check that passed.
fn command(
    place: &Place,
    kernel: &'static Kernel,
    line: &str,
    programs: &[Artifact],
    max: Duration,
) -> Result<(Run, Vec<Check>)> {
    let guest = prepare(place, kernel, line, programs)?;
    let run = qemu::run(place, kernel, &guest, true, max)?;
    let failure = match (run.verdict.fault(), run.verdict.status) {
        (Some(fault), _) => Some(format!("the kernel complained: {fault}\n{}", run.verdict.excerpt())),
        (None, 0) => None,
        (None, status) => Some(format!("the command ended with {status}")),
    };
    if let Some(reason) = &failure {
        progress::bad(&run.verdict.release, reason);
    }
    Ok((run, vec![Check { name: line.to_owned(), failure }]))
}

fn prepare(place: &Place, kernel: &'static Kernel, script: &str, programs: &[Artifact]) -> Result<Guest> {
    require_root("the lab's machine is entered by chroot, which", "vm")?;
    setup::ensure(&setup::vm(kernel), place)?;
    Guest::pack(place, LabPart::Kernel(kernel), script, programs)
}

/// One kernel after the other: one that fails does not keep the others from being tried.
fn every(
    kernels: &[&'static Kernel],
    mut task: impl FnMut(&'static Kernel) -> Result<(Run, Vec<Check>)>,
) -> Tally {
    let mut rows = Vec::new();
    for kernel in kernels {
        let start = Instant::now();
        let outcome = task(kernel);
        if let Err(error) = &outcome {
            progress::failure(error);
        }
        rows.push(Row { kernel, outcome, took: start.elapsed() });
    }
    if rows.len() > 1 {
        progress::title("\nTidewaiter: kernels");
        rows.iter().for_each(Row::tell);
    }
    rows.iter().map(Row::tally).fold(Tally::default(), Tally::with)
}

impl Row {
    /// A guest that did not run to its end is a failed test.
    fn tally(&self) -> Tally {
        match &self.outcome {
            Ok((_, checks)) => Tally::of(checks),
            Err(_) => Tally { failed: 1, ..Tally::default() },
        }
    }

    /// The kernel's line of the table.
    fn tell(&self) {
        let took = progress::seconds(self.took);
        match &self.outcome {
            Ok((run, _)) => {
                let tally = self.tally();
                let hooks = run.verdict.hooks().map(|hooks| format!("{hooks}; ")).unwrap_or_default();
                let boots = if run.boots > 1 { format!(" at boot {}", run.boots) } else { String::new() };
                let detail = format!(
                    "{:<28}{took:>10}, up after {}{boots}; {hooks}{tally}",
                    run.verdict.release,
                    progress::seconds(run.boot),
                );
                if tally.failed == 0 {
                    progress::good(self.kernel.version, &detail);
                } else {
                    progress::bad(self.kernel.version, &detail);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default();
                progress::bad(self.kernel.version, &format!("{:<28}{took:>10}, {reason}", ""));
            }
        }
    }
}
