//! `cargo xtask vm`: the sensor on other kernels. Boots distributions' kernels in QEMU, one after the other, lets a
//! script move data inside a container there, and checks the alert that came of it.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::artifact::{self, Artifact};
use crate::build;
use crate::command::require_root;
use crate::guest::Guest;
use crate::kernel::Kernel;
use crate::lab::LabPart;
use crate::machine::Machine;
use crate::place::Place;
use crate::progress;
use crate::qemu::{self, Run};
use crate::setup;
use crate::verdict::Tally;

/// The test that runs when no command is given.
const TRANSFER: &str = include_str!("../guest/transfer.sh");

/// What the way matrix runs as in a guest: its column comes over the console. How it went its closing line says.
const MATRIX: &str = "\nTIDEWAITER_WRITE=console matrix || true\n";

/// The transfer test and the way matrix: the bounds of both in sum, emulated on a machine that others use too.
const WHOLE_MAX: Duration = Duration::from_secs(600);

/// The words of the matrix's lines that are shown: how many cells went which way, and each that must not be.
const SHOWN: [&str; 4] = [" seen; ", " SILENT ", " WRONG ", "FAILED"];

/// How one kernel did.
struct Row {
    kernel: &'static Kernel,
    outcome: Outcome,
    took: Duration,
}

/// How a guest ended.
enum Outcome {
    /// Its script ran to its end, and so many tests in it went which way.
    Ran(Box<Run>, Tally),
    /// It did not, for this reason.
    Lost(String),
    /// There is no such guest: the mirror did not give its kernel.
    Unfetched(String),
}

/// Runs a command in guests and shows its output, or, without a command, the transfer test.
pub(crate) fn run(place: &Place, kernels: &[&'static Kernel], words: &[String], max: Duration) -> Result<()> {
    let tally = if words.is_empty() {
        transfer(place, kernels, max)?
    } else {
        let line = words.join(" ");
        every(place, kernels, |kernel| {
            let programs = artifact::built(place, kernel.machine);
            for Artifact { name, path } in &programs {
                progress::good(name, &format!("{}, as it was built last", path.display()));
            }
            command(place, kernel, &line, &programs, max)
        })?
    };
    progress::say(&tally.to_string());
    if tally.failed > 0 {
        bail!("not all went well in QEMU");
    }
    Ok(())
}

/// The transfer test on some kernels; each expectation is told and counted.
fn transfer(place: &Place, kernels: &[&'static Kernel], max: Duration) -> Result<Tally> {
    let own = Machine::own()?;
    if kernels.iter().any(|kernel| kernel.machine == own) {
        build::build(place, true)?;
    }
    every(place, kernels, |kernel| {
        let agent =
            if kernel.machine == own { Some(agent(place.agent(true))) } else { foreign(place, kernel) };
        let agent = agent.with_context(|| {
            let name = kernel.machine.name();
            format!("no agent was built for {name}: `cargo xtask dist --machine {name}` makes one")
        })?;
        let guest = Guest::pack(place, kernel, TRANSFER, &[agent])?;
        let run = qemu::run(place, kernel, &guest, false, max)?;
        let tally = told(kernel, &run);
        Ok((run, tally))
    })
}

fn agent(path: PathBuf) -> Artifact {
    Artifact { name: "tidewaiter", path }
}

/// The agent of another machine, as it was built last.
fn foreign(place: &Place, kernel: &Kernel) -> Option<Artifact> {
    artifact::built(place, kernel.machine).into_iter().find(|program| program.name == "tidewaiter")
}

/// The transfer test and the way matrix on some kernels of one kind of machine, each in one boot, with this agent.
pub(crate) fn whole(
    place: &Place,
    machine: Machine,
    kernels: &'static [Kernel],
    binary: &Path,
) -> Result<Tally> {
    artifact::build_matrix(place, machine)?;
    let mut programs = artifact::built(place, machine);
    programs.retain(|program| program.name != "tidewaiter");
    ensure!(programs.iter().any(|program| program.name == "matrix"), "cargo built no way matrix");
    programs.push(agent(binary.to_owned()));
    let script = [TRANSFER, MATRIX].concat();
    let kernels: Vec<_> = kernels.iter().collect();
    every(place, &kernels, |kernel| {
        let guest = Guest::pack(place, kernel, &script, &programs)?;
        let run = qemu::run(place, kernel, &guest, false, WHOLE_MAX)?;
        let tally = told(kernel, &run);
        run.verdict.lines_with(&SHOWN).for_each(progress::say);
        let Some(ways) = run.verdict.counted() else {
            progress::bad("", "the way matrix did not run to its end");
            return Ok((run, Tally { failed: tally.failed + 1, ..tally }));
        };
        merge(place, run.verdict.ways())?;
        Ok((run, tally.with(ways)))
    })
}

/// Puts a guest's column into docs/way.md, when that was asked for.
fn merge(place: &Place, column: &[String]) -> Result<()> {
    if env::var_os("TIDEWAITER_WRITE").is_none() || column.is_empty() {
        return Ok(());
    }
    let own = Machine::own()?;
    artifact::build_matrix(place, own)?;
    let mut programs = artifact::built(place, own).into_iter();
    let matrix = programs.find(|program| program.name == "matrix").context("cargo built no way matrix")?;
    let mut child = Command::new(matrix.path).arg("--merge").stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(column.join("\n").as_bytes())?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "docs/way.md was not written: {status}");
    Ok(())
}

/// Tells each check of the transfer test, and how many there were.
pub(crate) fn told(kernel: &Kernel, run: &Run) -> Tally {
    progress::title(&format!("Linux {} in QEMU", run.verdict.release));
    let checks = run.verdict.checks(kernel.tier);
    for check in &checks {
        match &check.failure {
            None => progress::good("", &check.name),
            Some(reason) => progress::bad("", &format!("{}: {reason}", check.name)),
        }
    }
    let tally = Tally::of(&checks);
    if tally.failed > 0 {
        progress::say(&run.verdict.excerpt());
    }
    tally
}

/// A command that ends with 0 on a kernel without a fault is one test that passed, unless it counts tests itself.
fn command(
    place: &Place,
    kernel: &'static Kernel,
    line: &str,
    programs: &[Artifact],
    max: Duration,
) -> Result<(Run, Tally)> {
    let guest = Guest::pack(place, kernel, line, programs)?;
    let run = qemu::run(place, kernel, &guest, true, max)?;
    let failure = match (run.verdict.fault(), run.verdict.status) {
        (Some(fault), _) => Some(format!("the kernel complained: {fault}\n{}", run.verdict.excerpt())),
        (None, 0) => None,
        (None, status) => Some(format!("the command ended with {status}")),
    };
    let counted = run.verdict.counted();
    let tally = match &failure {
        None => counted.unwrap_or(Tally { passed: 1, ..Tally::default() }),
        Some(reason) => {
            progress::bad(&run.verdict.release, reason);
            let tally = counted.unwrap_or_default();
            Tally { failed: tally.failed.max(1), ..tally }
        }
    };
    Ok((run, tally))
}

/// One kernel after the other: one that fails does not keep the others from being tried. A kernel that cannot be
/// fetched is skipped and told, as long as another one ran: unstable's mirrors are not always whole.
pub(crate) fn every(
    place: &Place,
    kernels: &[&'static Kernel],
    mut task: impl FnMut(&'static Kernel) -> Result<(Run, Tally)>,
) -> Result<Tally> {
    require_root("the lab's machine is entered by chroot, which", "vm")?;
    setup::ensure(setup::VM, place)?;
    let mut rows = Vec::new();
    for kernel in kernels {
        let start = Instant::now();
        let outcome = match setup::ensure(&needed(kernel)?, place) {
            Err(error) => {
                progress::failure(&error);
                Outcome::Unfetched(format!("Debian {} does not give it now; why is told above", kernel.suite))
            }
            Ok(()) => match task(kernel) {
                Err(error) => {
                    progress::failure(&error);
                    Outcome::Lost(first_line(&error))
                }
                Ok((run, tally)) => Outcome::Ran(Box::new(run), tally),
            },
        };
        rows.push(Row { kernel, outcome, took: start.elapsed() });
    }
    if rows.len() > 1 {
        progress::title("\nTidewaiter: kernels");
        rows.iter().for_each(Row::tell);
    }
    if rows.iter().all(|row| matches!(row.outcome, Outcome::Unfetched(_))) {
        bail!("no kernel could be fetched");
    }
    Ok(rows.iter().map(Row::tally).fold(Tally::default(), Tally::with))
}

/// What a guest with this kernel is made of.
fn needed(kernel: &'static Kernel) -> Result<Vec<setup::Part>> {
    let foreign = (kernel.machine != Machine::own()?).then_some(LabPart::Foreign(kernel.machine));
    Ok([Some(LabPart::Kernel(kernel)), foreign].into_iter().flatten().map(setup::Part::Lab).collect())
}

/// The outermost reason, without the output that follows it.
fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Row {
    /// A guest that did not run to its end is a failed test.
    fn tally(&self) -> Tally {
        match self.outcome {
            Outcome::Ran(_, tally) => tally,
            Outcome::Lost(_) => Tally { failed: 1, ..Tally::default() },
            Outcome::Unfetched(_) => Tally { skipped: 1, ..Tally::default() },
        }
    }

    /// The kernel's line of the table.
    fn tell(&self) {
        let took = progress::seconds(self.took);
        let version = self.kernel.version;
        match &self.outcome {
            Outcome::Ran(run, tally) => {
                let hooks = run.verdict.hooks().map(|hooks| format!("{hooks}; ")).unwrap_or_default();
                let boots = if run.boots > 1 { format!(" at boot {}", run.boots) } else { String::new() };
                let up = progress::seconds(run.boot);
                let release = &run.verdict.release;
                let detail = format!("{release:<28}{took:>10}, up after {up}{boots}; {hooks}{tally}");
                let tell = if tally.failed == 0 { progress::good } else { progress::bad };
                tell(version, &detail);
            }
            Outcome::Lost(reason) => progress::bad(version, &format!("{:<28}{took:>10}, {reason}", "")),
            Outcome::Unfetched(reason) => progress::skipped(version, reason),
        }
    }
}
