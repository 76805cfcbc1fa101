//! QEMU in the lab's machine: boots a guest, reads its console, and tells how that ended.
//!
//! QEMU emulates the processor, so that no KVM is needed: times measured in a guest mean nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::guest::Guest;
use crate::kernel::Kernel;
use crate::machine::Emulator;
use crate::place::Place;
use crate::progress;
use crate::verdict::Verdict;

/// A boot takes 3 to 10 s, or 30 s on a busy machine; beyond this it hangs.
const BOOT_MAX: Duration = Duration::from_secs(120);

/// The transfer test has bounds of its own, about 200 s in sum; beyond this a guest hangs.
pub(crate) const RUN_MAX: Duration = Duration::from_secs(300);

/// QEMU's emulation sometimes crashes a kernel (6.12 with QEMU 7.2: one boot in six) before our first line.
const BOOTS_MAX: u32 = 5;

/// One processor for each of a small host's two. Memory holds the root three times while the guest comes up, and costs the host only what is touched.
const QEMU: &[&str] = &[
    "-accel",
    "tcg,thread=multi",
    "-smp",
    "2",
    "-m",
    "1536",
    "-nodefaults",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-no-reboot",
    "-device",
    "virtio-blk-pci,drive=disk",
];

/// `lsm=`: 5.10 leaves bpf out of its own list. `oops=panic`: a kernel that has gone wrong proves nothing more, and
/// its end comes at once. `loglevel=1`: the kernel must not talk into our lines; what it said is read at the end.
const KERNEL_LINE: &str = "loglevel=1 oops=panic panic=-1 lsm=landlock,lockdown,capability,bpf";

/// A guest that ran to its end.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) verdict: Verdict,
    /// From QEMU's start to the script's.
    pub(crate) boot: Duration,
    /// How often it had to be booted.
    pub(crate) boots: u32,
}

/// How a boot ended.
enum Ending {
    /// The script ran to its end; how long the boot took.
    Told(Verdict, Duration),
    /// The guest was gone, or was not done in time.
    Lost(Verdict, RecvTimeoutError),
}

/// Boots again when the emulator lost a kernel before our first line, and never after it: then it may be our doing.
/// `shown`: the script's output is passed on.
pub(crate) fn run(place: &Place, kernel: &Kernel, guest: &Guest, shown: bool, max: Duration) -> Result<Run> {
    let mut boots = 1;
    loop {
        match boot(place, kernel, guest, shown, max)? {
            Ending::Told(verdict, boot) => return Ok(Run { verdict, boot, boots }),
            Ending::Lost(verdict, _) if !verdict.has_started() && boots < BOOTS_MAX => {
                let fault = verdict.fault().map(|fault| format!(" ({fault})")).unwrap_or_default();
                progress::say(&format!(
                    "  … Linux {} did not come up in QEMU{fault}; once more",
                    kernel.version
                ));
            }
            Ending::Lost(verdict, reason) => {
                let how = match (verdict.fault(), reason) {
                    (Some(fault), _) => format!("crashed: {fault}"),
                    (None, RecvTimeoutError::Disconnected) => "was gone without a word".to_owned(),
                    (None, RecvTimeoutError::Timeout) => "was not done in time".to_owned(),
                };
                let when = if verdict.has_started() {
                    format!("in the middle of its script (bound {})", progress::seconds(max))
                } else {
                    format!("before its script, {boots} times (bound {})", progress::seconds(BOOT_MAX))
                };
                bail!("Linux {} {how}, {when}\n{}", kernel.version, verdict.excerpt());
            }
        }
        boots += 1;
    }
}

fn boot(place: &Place, kernel: &Kernel, guest: &Guest, shown: bool, max: Duration) -> Result<Ending> {
    let log = place.log(&format!("guest-{}", kernel.version));
    let mut log = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let start = Instant::now();
    let mut machine = Running(command(kernel, guest).spawn().context("cannot start QEMU in the lab")?);
    let lines = machine.lines()?;
    let mut verdict = Verdict::default();
    let mut boot = None;
    loop {
        let deadline = start + boot.map_or(BOOT_MAX, |boot| boot + max);
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                let told = verdict.read(&line);
                if boot.is_none() && verdict.has_started() {
                    boot = Some(start.elapsed());
                }
                if shown && !told && verdict.has_started() {
                    // What the guest's command prints is this task's output, so it goes where output goes.
                    writeln!(std::io::stdout(), "{line}").context("cannot write the guest's output")?;
                }
                if verdict.has_ended() {
                    return Ok(Ending::Told(verdict, boot.unwrap_or_default()));
                }
            }
            Err(reason) => return Ok(Ending::Lost(verdict, reason)),
        }
    }
}

fn command(kernel: &Kernel, guest: &Guest) -> Command {
    let Emulator { program, words, console } = kernel.machine.emulator();
    // The kernel ends QEMU with us, also when we are killed and `Machine` is never dropped.
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "KILL", "chroot"]).arg(guest.machine()).arg(program);
    qemu.args(words)
        .args(QEMU)
        .arg("-kernel")
        .arg(guest.inside("vmlinuz"))
        .arg("-initrd")
        .arg(guest.inside("initrd"));
    let disk = guest.inside("disk");
    qemu.arg("-drive").arg(format!("file={},format=raw,if=none,id=disk,cache=unsafe", disk.display()));
    qemu.arg("-append").arg(format!("console={console} {KERNEL_LINE}"));
    qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    qemu
}

/// A QEMU that does not outlive us.
struct Running(Child);

impl Running {
    /// The lines of its console, as they come.
    fn lines(&mut self) -> Result<Receiver<String>> {
        let console = self.0.stdout.take().context("QEMU has no console")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()).is_err() {
                    break;
                }
            }
        });
        Ok(lines)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
