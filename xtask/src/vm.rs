//! `cargo xtask vm`: the sensor on another kernel. Boots a distribution's kernel in QEMU, lets a script move data
//! inside a container there, and checks the alert that came of it.
//!
//! QEMU emulates the processor, so that no KVM is needed: times measured in a guest mean nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::command;
use crate::command::require_root;
use crate::guest::Guest;
use crate::kernel::{self, Kernel};
use crate::lab::LabPart;
use crate::place::Place;
use crate::progress;
use crate::setup;
use crate::verdict::{Tally, Verdict};

/// A boot takes 3 to 10 s, a test in it up to its own bounds (about 200 s in sum); beyond this it hangs.
const GUEST_MAX: Duration = Duration::from_secs(300);

/// QEMU's emulation sometimes crashes a kernel (6.12 with QEMU 7.2: one boot in six) before our first line.
const BOOTS_MAX: u32 = 5;

/// One processor for each of a small host's two; `la57` and `cx16` off because QEMU 7.2 emulates them badly.
const QEMU: &[&str] = &[
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max,la57=off,cx16=off",
    "-smp",
    "2",
    "-m",
    "1024",
    "-nodefaults",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-no-reboot",
];

/// `lsm=`: 5.10 leaves bpf out of its own list.
const KERNEL_LINE: &str = "console=ttyS0 loglevel=1 panic=-1 lsm=lockdown,capability,bpf";

/// The test that runs when no command is given.
const TRANSFER: &str = include_str!("../guest/transfer.sh");

/// How a boot ended.
enum Ending {
    /// The script ran to its end.
    Told(Verdict),
    /// The guest was gone, or silent too long; the end of what its console showed.
    Lost { started: bool, console: String },
}

/// Runs a command in a guest and shows its output, or, without a command, the transfer test.
pub(crate) fn run(place: &Place, version: &str, words: &[String]) -> Result<()> {
    if !words.is_empty() {
        return command_in_guest(place, version, words);
    }
    let tally = transfer(place, version)?;
    progress::say(&tally.to_string());
    if tally.failed > 0 {
        bail!("the transfer test failed on Linux {version}");
    }
    Ok(())
}

/// The transfer test on one kernel; each expectation is told and counted.
pub(crate) fn transfer(place: &Place, version: &str) -> Result<Tally> {
    let kernel = prepare(place, version)?;
    build::build(place, true)?;
    let agent = place.agent(true);
    let guest = Guest::pack(place, LabPart::Kernel(kernel), TRANSFER, Some(&agent))?;
    let verdict = boot_until_told(place, kernel, &guest, false)?;
    progress::title(&format!("Linux {} in QEMU", verdict.release));
    let checks = verdict.checks();
    for check in &checks {
        match &check.failure {
            None => progress::good("", &check.name),
            Some(reason) => progress::bad("", &format!("{}: {reason}", check.name)),
        }
    }
    let tally = Tally::of(&checks);
    if tally.failed > 0 {
        progress::say(&command::tail(&verdict.console));
    }
    Ok(tally)
}

fn command_in_guest(place: &Place, version: &str, words: &[String]) -> Result<()> {
    let kernel = prepare(place, version)?;
    let agent = Some(place.agent(true)).filter(|agent| agent.exists());
    let guest = Guest::pack(place, LabPart::Kernel(kernel), &words.join(" "), agent.as_deref())?;
    let verdict = boot_until_told(place, kernel, &guest, true)?;
    if verdict.status != 0 {
        bail!("the command ended with {} on Linux {}", verdict.status, verdict.release);
    }
    Ok(())
}

fn prepare(place: &Place, version: &str) -> Result<&'static Kernel> {
    let kernel = kernel::named(version)?;
    require_root("the lab's machine is entered by chroot, which", "vm")?;
    setup::ensure(&setup::vm(kernel), place)?;
    Ok(kernel)
}

/// Boots again when the emulator lost a kernel before our first line, and never after it: then it may be our doing.
fn boot_until_told(place: &Place, kernel: &Kernel, guest: &Guest, shown: bool) -> Result<Verdict> {
    for attempt in 1..=BOOTS_MAX {
        match boot(place, kernel, guest, shown)? {
            Ending::Told(verdict) => return Ok(verdict),
            Ending::Lost { started: false, .. } if attempt < BOOTS_MAX => {
                progress::say(&format!("  … Linux {} did not come up in QEMU; once more", kernel.version));
            }
            Ending::Lost { started, console } => {
                let when = if started { "ended in the middle of the test" } else { "did not come up" };
                bail!(
                    "Linux {} {when} in QEMU (attempt {attempt}, bound {})\n{}",
                    kernel.version,
                    progress::seconds(GUEST_MAX),
                    command::tail(&console)
                );
            }
        }
    }
    bail!("Linux {} did not come up in QEMU", kernel.version)
}

fn boot(place: &Place, kernel: &Kernel, guest: &Guest, shown: bool) -> Result<Ending> {
    // The kernel ends QEMU with us, also when we are killed and `Machine` is never dropped.
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "KILL", "chroot"])
        .arg(guest.machine())
        .arg("/usr/bin/qemu-system-x86_64")
        .args(QEMU);
    qemu.arg("-kernel").arg(guest.inside("vmlinuz")).arg("-initrd").arg(guest.inside("initrd"));
    qemu.args(["-append", KERNEL_LINE]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let log = place.log(&format!("guest-{}", kernel.version));
    let mut log = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut machine = Machine(qemu.spawn().context("cannot start QEMU in the lab")?);
    let console = machine.0.stdout.take().context("QEMU has no console")?;

    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + GUEST_MAX;
    let mut verdict = Verdict::default();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                let told = verdict.read(&line);
                if shown && !told && verdict.has_started() {
                    show(&line)?;
                }
                if verdict.has_ended() {
                    return Ok(Ending::Told(verdict));
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Ok(Ending::Lost { started: verdict.has_started(), console: verdict.console });
            }
        }
    }
}

/// What the guest's command prints is this task's output, so it goes where output goes.
fn show(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write the guest's output")
}

/// A QEMU that does not outlive us.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
